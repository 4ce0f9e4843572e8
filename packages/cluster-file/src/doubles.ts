import type { DirectoryEntry, ProcessEntry, RegionEntry } from "./cluster-file.ts";
import { DIRECTORY_PORT, isWildcard, portOf } from "./lookups.ts";

/** An entry and its path in the file. */
export interface Placed<T> {
  readonly path: string;
  readonly entry: T;
}

/** Finds what two processes share and only one can have, such as an id. Returns one sentence for each. */
export function doublesOf(
  directories: readonly Placed<DirectoryEntry>[],
  regions: readonly Placed<RegionEntry>[],
): readonly string[] {
  const all = [...directories, ...regions];
  const listening = [
    ...directories.map((placed) => listeningOf(placed, DIRECTORY_PORT)),
    ...regions.map((placed) => listeningOf(placed, undefined)),
  ];
  return [
    ...doubled(
      "ids",
      all.map(({ path, entry }) => [`${path}.id`, entry.id]),
    ),
    ...doubled(
      "URLs",
      all.map(({ path, entry }) => [`${path}.url`, entry.url]),
    ),
    ...doubled("ports on one machine", listening),
  ];
}

type Owned = readonly [path: string, value: string | undefined];

/** The machine and port that a process listens on, as far as the file tells: two machines may use one port. */
function listeningOf({ path, entry }: Placed<ProcessEntry>, fallback: number | undefined): Owned {
  const port = portOf(entry) ?? (entry.url === undefined ? fallback : undefined);
  const machine = machineOf(entry);
  const known = port !== undefined && machine !== undefined;
  return [`${path}.port`, known ? `${machine}:${port}` : undefined];
}

function machineOf({ url, host }: ProcessEntry): string | undefined {
  if (url !== undefined) return sameName(new URL(url).hostname);
  if (host === undefined) return "127.0.0.1";
  return isWildcard(host) ? undefined : sameName(host);
}

function sameName(host: string): string {
  return host === "localhost" ? "127.0.0.1" : host;
}

function doubled(what: string, owned: readonly Owned[]): readonly string[] {
  const owners = new Map<string, string>();
  const found: string[] = [];
  for (const [path, value] of owned) {
    if (value === undefined) continue;
    const first = owners.get(value);
    if (first === undefined) owners.set(value, path);
    else
      found.push(`Expected ${what} of their own, got \`${value}\` at \`${first}\` and \`${path}\``);
  }
  return found;
}
