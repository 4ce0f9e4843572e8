/** Backs up a data folder, whether its program runs or not. */
import { randomUUID } from "node:crypto";
import { createReadStream, existsSync, rmSync } from "node:fs";
import { join } from "node:path";

import { MeridianError } from "@meridian/protocol";
import { systemClock } from "@meridian/runtime";
import { DATABASE_NAMES, takeSnapshot, type BackupFacts } from "@meridian/store";

import { programVersion } from "../version.ts";
import { ByteProgress } from "./byte-progress.ts";
import type { BackupTarget } from "./fetch-backup.ts";
import { PartFile } from "./part-file.ts";

/** Copies what is durable in a data folder into a file. Rejects with `INVALID_ARGUMENT` for a folder without data of that kind. */
export async function copyFolder(
  folder: string,
  kind: BackupFacts["kind"],
  { out, rate, io }: BackupTarget,
): Promise<BackupFacts> {
  const path = join(folder, DATABASE_NAMES[kind]);
  if (!existsSync(path)) {
    throw new MeridianError(
      "INVALID_ARGUMENT",
      `Expected a URL, or a data folder with \`${DATABASE_NAMES[kind]}\`, got \`${folder}\``,
    );
  }
  const takenAtMs = Date.now();
  const to = `${out}.database`;
  const copied = await takeSnapshot({ path, kind, to }, systemClock);
  try {
    const about = { id: randomUUID(), version: programVersion(), takenAtMs };
    const part = await PartFile.open(out, { ...about, ...copied });
    const progress = new ByteProgress(io, "copied", copied.bytes);
    try {
      for await (const piece of createReadStream(to, { highWaterMark: 1024 * 1024 })) {
        await part.add(piece as Buffer);
        progress.add((piece as Buffer).byteLength);
        await rate.add((piece as Buffer).byteLength);
      }
      return await part.finish();
    } finally {
      progress.end();
      await part.close();
    }
  } finally {
    rmSync(to, { force: true });
  }
}
