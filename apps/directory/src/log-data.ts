import type { SqliteDirectoryLog } from "@meridian/store";

import type { DirectoryService } from "./http/directory-service.ts";
import { LogDigester } from "./log-digest.ts";
import { LogPages } from "./log-pages.ts";
import type { Machine } from "./serve.ts";

/** What the API tells of a log. */
export function dataOf(
  log: SqliteDirectoryLog,
  { clocks }: Pick<Machine, "clocks">,
): Pick<DirectoryService, "store" | "disk" | "digest" | "digestPage" | "entryPage"> {
  const [digester, pages] = [new LogDigester(log, clocks), new LogPages(log, clocks)];
  return {
    store: () => log.stats(),
    disk: () => log.disk(),
    digest: () => digester.take(),
    digestPage: (query) => pages.digest(query),
    entryPage: (query) => pages.entries(query),
  };
}
