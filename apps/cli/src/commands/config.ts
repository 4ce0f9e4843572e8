/** The commands about the cluster file: `config check`, `config example`, `config schema`. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import {
  EXAMPLE,
  listensOn,
  readClusterFile,
  type ClusterFile,
  type ProcessEntry,
} from "@meridian/cluster-file";
import { asMeridianError } from "@meridian/protocol";

import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { formatTable } from "../table.ts";
import { printJson } from "./entries.ts";

/** The options of `config check`. */
export interface CheckFlags {
  readonly json?: boolean | undefined;
}

/** `meridian config check`: prints a summary of the file, or all of its errors with exit code 2. */
export function check(path: string, flags: CheckFlags, io: CliIo): number {
  let file: ClusterFile;
  try {
    file = readClusterFile(path);
  } catch (cause) {
    const { message, details } = asMeridianError(cause);
    const told: unknown = details?.["problems"];
    const problems = Array.isArray(told) ? told.map(String) : [message];
    if (flags.json === true) printJson(io, { ok: false, problems });
    else for (const problem of problems) io.stderr.write(`${problem}\n`);
    return EXIT.usage;
  }
  if (flags.json === true) printJson(io, { ok: true, problems: [] });
  else io.stdout.write(summaryOf(path, file));
  return EXIT.ok;
}

/** `meridian config example`: prints an example file. */
export function example(io: CliIo): number {
  io.stdout.write(EXAMPLE);
  return EXIT.ok;
}

/** `meridian config schema`: prints the JSON Schema, for editors. */
export function schema(io: CliIo): number {
  const path = createRequire(import.meta.url).resolve(
    "@meridian/cluster-file/cluster-file.schema.json",
  );
  io.stdout.write(readFileSync(path, "utf8"));
  return EXIT.ok;
}

function summaryOf(path: string, { cluster, directories, regions }: ClusterFile): string {
  const rows = [
    ...directories.map((entry, index) => {
      const place = entry.lat === undefined ? "" : `, ${entry.lat}, ${entry.lon}`;
      return [...rowOf(entry), `priority ${index + 1}${place}`];
    }),
    ...regions.map((entry) => [...rowOf(entry), `${entry.lat}, ${entry.lon}`]),
  ];
  const counts = [
    counted(directories.length, "directory", "directories"),
    counted(regions.length, "region", "regions"),
  ];
  return [
    `OK: ${path} describes the cluster ${cluster ?? "meridian"}: ${counts.join(" and ")}.`,
    "",
    formatTable(["ID", "URL", "LISTENS ON", "DATA", "PLACE"], rows),
  ].join("\n");
}

function rowOf(entry: ProcessEntry): readonly string[] {
  return [entry.id, entry.url ?? "-", listensOn(entry), entry.data ?? "-"];
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
