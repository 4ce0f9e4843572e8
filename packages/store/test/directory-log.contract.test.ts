import { openDirectoryLog, type SqliteDirectoryLog } from "@meridian/store";
import { directoryLogContract } from "@meridian/testkit";
import { afterAll } from "vitest";
import { HISTORIES, purged, StoreFolder } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

for (const { title, recentEntriesMax } of [
  { title: "SqliteDirectoryLog", recentEntriesMax: 100_000 },
  { title: "SqliteDirectoryLog with a short recent window", recentEntriesMax: 6 },
]) {
  directoryLogContract<SqliteDirectoryLog>(
    title,
    {
      open: (name) =>
        openDirectoryLog(folder.options(`${title}-${name}`, { recentEntriesMax, sweepEveryMs: 2 })),
      close: (log) => log.close(),
      crash: (log) => log.abort(),
      idle: purged,
    },
    HISTORIES,
  );
}
