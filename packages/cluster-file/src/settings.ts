import { MeridianError } from "@meridian/protocol";
import { PROGRAM_OPTIONS, type OptionTable, type Role, type Setting } from "@meridian/options";

import type { ClusterFile, FileValue, ProcessEntry } from "./cluster-file.ts";
import { directoryUrls, portOf } from "./lookups.ts";
import { memberOf } from "./schema.ts";

/**
 * The options that a cluster file gives one process. `name` names the file in messages. Throws `INVALID_CONFIG` if the
 * file has no such process.
 */
export function settingsOf(
  file: ClusterFile,
  role: Role,
  id: string,
  name: string,
  table: OptionTable = PROGRAM_OPTIONS[role],
): readonly Setting[] {
  const entries: readonly ProcessEntry[] = role === "region" ? file.regions : file.directories;
  const index = entries.findIndex((entry) => entry.id === id);
  const entry = entries[index];
  const list = role === "region" ? "regions" : "directories";
  if (entry === undefined) {
    const ids = entries.map((one) => `\`${one.id}\``).join(", ");
    throw new MeridianError(
      "INVALID_CONFIG",
      `Expected an id of \`${list}\` in ${name}: ${ids}, got \`${id}\``,
    );
  }
  const path = `${list}[${index}]`;
  const places: Readonly<Record<string, readonly Place[]>> = {
    cluster: [{ path: "", members: { ...file } }],
    process: [{ path: `${path}.`, members: { ...entry } }],
    limits: [
      { path: `${path}.limits.`, members: entry.limits },
      { path: "limits.", members: file.limits },
    ],
    log: [{ path: "log.", members: file.log }],
  };
  const settings: Setting[] = [];
  const add = (option: string, value: FileValue | undefined, place: string): void => {
    if (value === undefined) return;
    settings.push({ name: option, text: String(value), source: `${name}: ${place}` });
  };
  if (role === "region") add("directory", directoryUrls(file).join(","), "directories");
  const peers = peersOf(file, entry);
  if (role === "directory" && peers.length > 0) add("peer", peers.join(","), "directories");
  if (entry.port === undefined) add("port", portOf(entry), `${path}.url`);
  for (const row of table) {
    // `--id` chooses the entry, so it is not read from the file.
    if (row.file === null || row.name === "id") continue;
    const member = memberOf(row);
    const said = places[row.file]?.find(({ members }) => members[member] !== undefined);
    add(row.name, said?.members[member] as FileValue | undefined, `${said?.path}${member}`);
  }
  return settings;
}

/** The URLs of the directories that a directory follows: all others, but for those with the same log, of which one alone writes. */
function peersOf({ directories }: ClusterFile, { id }: ProcessEntry): readonly string[] {
  const log = directories.find((each) => each.id === id)?.log;
  return directories
    .filter((each) => each.id !== id && (log === undefined || each.log !== log))
    .map(({ url }) => url);
}

/** An object of the file, and the beginning of its members' paths. */
interface Place {
  readonly path: string;
  readonly members: Readonly<Record<string, unknown>>;
}
