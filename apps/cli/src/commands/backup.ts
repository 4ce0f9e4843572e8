/** The commands `meridian backup` and `meridian restore`. */
import { existsSync } from "node:fs";

import { MeridianError, withoutTrailingSlashes } from "@meridian/protocol";
import { restoreBackup, verifyBackup, type BackupFacts } from "@meridian/store";

import { ByteProgress } from "../backup/byte-progress.ts";
import { byteRateOf } from "../backup/byte-rate.ts";
import { copyFolder } from "../backup/copy-folder.ts";
import { fetchBackup } from "../backup/fetch-backup.ts";
import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { printJson } from "./entries.ts";

/** Whose backup it is. */
export type BackupOf = "region" | "directory";

/** The options of `backup verify`. */
export interface VerifyBackupFlags {
  readonly json?: boolean | undefined;
}

/** The options of `backup region` and `backup directory`. */
export interface BackupFlags extends VerifyBackupFlags {
  readonly out: string;
  /** Bytes a second. */
  readonly rate?: string | undefined;
}

/** The options of `restore`. */
export interface RestoreFlags extends VerifyBackupFlags {
  readonly data: string;
}

/** `meridian backup region|directory`: of a program at a URL, or of a data folder. */
export async function backup(
  of: BackupOf,
  source: string,
  flags: BackupFlags,
  io: CliIo,
): Promise<number> {
  const rate = byteRateOf(flags.rate);
  if (existsSync(flags.out)) {
    throw new MeridianError(
      "INVALID_ARGUMENT",
      `Expected \`--out\` as a file that is not there yet, got \`${flags.out}\``,
    );
  }
  const isUrl = /^https?:\/\//.test(source);
  const facts = isUrl
    ? await fetchBackup(withoutTrailingSlashes(source), kindOf(of), { out: flags.out, rate, io })
    : await copyFolder(source, kindOf(of), { out: flags.out, rate, io });
  return tell(facts, { file: flags.out }, flags, io);
}

/** `meridian backup verify`. */
export async function verifyFile(
  file: string,
  flags: VerifyBackupFlags,
  io: CliIo,
): Promise<number> {
  const progress = new ByteProgress(io, "read");
  const facts = await verifyBackup(file, (bytes) => progress.add(bytes));
  progress.end();
  return tell(facts, { file }, flags, io);
}

/** `meridian restore`. */
export async function restore(file: string, flags: RestoreFlags, io: CliIo): Promise<number> {
  const progress = new ByteProgress(io, "restored");
  const onBytes = (bytes: number): void => progress.add(bytes);
  const facts = await restoreBackup({ file, folder: flags.data, onBytes });
  progress.end();
  return tell(facts, { file, data: flags.data }, flags, io);
}

function kindOf(of: BackupOf): BackupFacts["kind"] {
  return of === "region" ? "replica" : "directory";
}

function tell(
  facts: BackupFacts,
  where: Readonly<Record<string, string>>,
  { json }: VerifyBackupFlags,
  io: CliIo,
): number {
  if (json === true) {
    printJson(io, { ...where, ...facts });
    return EXIT.ok;
  }
  const { kind, takenAtMs, bytes, version, sha256 } = facts;
  const whose = kind === "replica" ? "a region" : "a directory";
  const mebibytes = (bytes / 2 ** 20).toFixed(1);
  io.stdout.write(
    `${where["data"] ?? where["file"]}: ${whose} (${version}) as of ${new Date(takenAtMs).toISOString()}, ${mebibytes} MiB, SHA-256 ${sha256}\n`,
  );
  return EXIT.ok;
}
