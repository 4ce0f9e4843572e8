/** A log that was restored from a backup may lack what was decided after it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { systemClock } from "@meridian/runtime";
import {
  DATABASE_NAMES,
  encodeBackupHead,
  openDirectoryLog,
  restoreBackup,
  takeSnapshot,
  type SqliteDirectoryLog,
} from "@meridian/store";
import { afterAll, expect, it } from "vitest";

import { StoreFolder } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

/** Backs up a log, closes it, and restores it. Returns how the restored one is opened. */
async function restoredFrom(name: string, log: SqliteDirectoryLog) {
  const to = join(folder.path, `${name}-copy`);
  const copied = await takeSnapshot(
    { path: folder.file(name), kind: "directory", to },
    systemClock,
  );
  await log.close();
  const file = `${to}.backup`;
  const head = encodeBackupHead({ id: "1", version: "1.2.3", takenAtMs: 1, ...copied });
  writeFileSync(file, Buffer.concat([head, readFileSync(to)]));
  const into = join(folder.path, `of-${name}`);
  await restoreBackup({ file, folder: into });
  return { ...folder.options(name), path: join(into, DATABASE_NAMES.directory) };
}

it("is doubted from its first start on, until that is taken back", async () => {
  const log = await openDirectoryLog(folder.options("log"));
  expect(log.doubt).toBeNull();
  const options = await restoredFrom("log", log);
  for (let start = 0; start < 2; start += 1) {
    const copy = await openDirectoryLog(options);
    expect(copy.doubt?.why).toBe("its data was restored from a backup");
    if (start === 1) await new Promise<void>((resolve) => copy.saveDoubt(null, () => resolve()));
    await copy.close();
  }
  const accepted = await openDirectoryLog(options);
  expect(accepted.doubt).toBeNull();
  await accepted.close();
});

it("is not doubted where it is made from a stream, which tells what it lacks", async () => {
  const log = await openDirectoryLog(folder.options("streamed"));
  await new Promise<void>((resolve) =>
    log.saveEpochs([[1, 0]], () => resolve(), { sequence: 5, id: "x" }),
  );
  const copy = await openDirectoryLog(await restoredFrom("streamed", log));
  expect(copy.doubt).toBeNull();
  await copy.close();
});
