import { openDirectoryLog, type SqliteDirectoryLog } from "@meridian/store";
import { directoryLogContract } from "@meridian/testkit";
import { afterAll } from "vitest";
import { HISTORIES, purged, StoreFolder } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

for (const { title, recentEntriesMax } of [
  { title: "SqliteDirectoryLog without a redo file", recentEntriesMax: 100_000 },
  { title: "SqliteDirectoryLog without one, and with a short recent window", recentEntriesMax: 6 },
]) {
  const tuning = { recentEntriesMax, sweepEveryMs: 2, redo: false };
  directoryLogContract<SqliteDirectoryLog>(
    title,
    {
      open: (name) => openDirectoryLog(folder.options(`${title}-${name}`, tuning)),
      close: (log) => log.close(),
      crash: (log) => log.abort(),
      idle: purged,
    },
    HISTORIES,
  );
}
