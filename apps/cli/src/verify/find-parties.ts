/** Who is to hold the same. */
import { identityOf, namedBy, Party, type LogProgress, type PartyAddress } from "@meridian/doctor";
import { asMeridianError, MeridianError } from "@meridian/protocol";

import { DirectoryApi } from "../directory-api.ts";
import { askParty } from "./ask-party.ts";

/** A directory that the operator names. */
export interface GivenDirectory {
  /** What it is called, if it has a name. */
  readonly name?: string;
  readonly url: string;
}

/** The parties of a cluster. */
export interface Parties {
  /** At least one. */
  readonly directories: readonly PartyAddress[];
  readonly nodes: readonly PartyAddress[];
}

/** A directory, and what it says of its log; undefined if it does not answer. */
interface Asked {
  readonly directory: GivenDirectory;
  readonly log: LogProgress | undefined;
}

/**
 * Finds the directories that are given, and those that they follow or that have the same log, each once, and every node that one of them knows or misses.
 * Those that do not answer are among them. Throws `DIRECTORY_UNREACHABLE` if no directory answers.
 */
export async function findParties(given: readonly GivenDirectory[]): Promise<Parties> {
  const directories: GivenDirectory[] = [];
  const known = new Set<string>();
  const urls = new Set<string>();
  const nodes = new Map<string, PartyAddress>();
  const failures: string[] = [];
  const ask = async (directory: GivenDirectory): Promise<Asked> => {
    urls.add(directory.url);
    const party = new Party({ name: "directory", url: directory.url }, askParty);
    try {
      const [log, records] = await Promise.all([
        party.logProgress(),
        new DirectoryApi(directory.url).nodes(),
      ]);
      for (const { id, url, status, goneSinceMs: sinceMs } of records) {
        // One that has gone from a directory may be at another one.
        if (nodes.get(id)?.gone === undefined && nodes.has(id)) continue;
        nodes.set(id, { name: id, url, ...(status === "gone" && { gone: { sinceMs } }) });
      }
      return { directory, log };
    } catch (cause) {
      failures.push(asMeridianError(cause).message);
      return { directory, log: undefined };
    }
  };
  for (let next = given; next.length > 0;) {
    const asked = await Promise.all(next.map(ask));
    for (const { directory, log } of asked) {
      // One directory may be reached by several URLs.
      if (log !== undefined && known.has(identityOf(log))) continue;
      directories.push(directory);
      if (log !== undefined) known.add(identityOf(log));
    }
    const named = asked.flatMap(({ log }) => (log === undefined ? [] : namedBy(log, known)));
    next = [...new Set(named)].filter((url) => !urls.has(url)).map((url) => ({ url }));
  }
  if (known.size === 0) throw new MeridianError("DIRECTORY_UNREACHABLE", failures.join("; "));
  const isAlone = directories.length === 1;
  return {
    directories: directories.map(({ name, url }) => ({
      name: name ?? (isAlone ? "directory" : url),
      url,
    })),
    nodes: [...nodes.values()],
  };
}
