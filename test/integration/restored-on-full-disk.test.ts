/** A directory's log that is restored onto a disk that takes nothing: what it may lack must not be forgotten. */
import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { asMeridianError } from "@meridian/protocol";
import { silentLogger, systemClock, systemRandom } from "@meridian/runtime";
import {
  DATABASE_NAMES,
  encodeBackupHead,
  openDirectoryLog,
  restoreBackup,
  takeSnapshot,
  type SqliteDirectoryLog,
  type StoreOptions,
} from "@meridian/store";
import { expect, it, onTestFinished } from "vitest";

import { SmallDisk } from "../support/small-disk.ts";

/** A backup is not restored without 64 MiB to spare. */
const DISK_BYTES = 72 * 1024 * 1024;
const STEP_BYTES = 4 * 1024;

function optionsOf(path: string): StoreOptions {
  const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };
  return { path, durability: "process", ...parts };
}

/** Opens a log with so little room that it is open, and takes nothing. */
async function openTight(options: StoreOptions, filler: string): Promise<SqliteDirectoryLog> {
  for (;;) {
    truncateSync(filler, statSync(filler).size - STEP_BYTES);
    try {
      return await openDirectoryLog(options);
    } catch (cause) {
      // With less, the database cannot even be locked.
      if (asMeridianError(cause).code !== "STORE_FULL") throw cause;
    }
  }
}

it("is doubted after its process has died before it could write the doubt", async (context) => {
  const disk = SmallDisk.mount(DISK_BYTES);
  if (typeof disk === "string") return context.skip(disk);
  onTestFinished(() => disk.unmount());
  const original = join(disk.path, "original.db");
  await (await openDirectoryLog(optionsOf(original))).close();
  const to = join(disk.path, "copy");
  const copied = await takeSnapshot({ path: original, kind: "directory", to }, systemClock);
  const head = encodeBackupHead({ id: "1", version: "1.2.3", takenAtMs: 1, ...copied });
  writeFileSync(`${to}.backup`, Buffer.concat([head, readFileSync(to)]));
  const folder = join(disk.path, "restored");
  await restoreBackup({ file: `${to}.backup`, folder });
  const options = optionsOf(join(folder, DATABASE_NAMES.directory));

  disk.fill();
  const filler = join(disk.path, "filler");
  const full = await openTight(options, filler);
  expect([full.stall?.code, full.doubt]).toEqual(["STORE_FULL", null]);
  await full.abort();
  rmSync(filler);

  const log = await openDirectoryLog(options);
  expect(log.doubt?.why).toBe("its data was restored from a backup");
  await new Promise<void>((resolve) => log.saveDoubt(null, () => resolve()));
  await log.close();
  const accepted = await openDirectoryLog(options);
  expect(accepted.doubt).toBeNull();
  await accepted.close();
});
