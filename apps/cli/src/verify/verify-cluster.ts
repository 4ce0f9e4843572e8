/**
 * The proof that a directory and its nodes hold the same entries, or the names of the keys on which they differ.
 *
 * The cluster may be under load: a key that is on its way to somewhere is no difference. So what was seen to differ is
 * looked at again once everyone has applied what the directory had, and only a party that still holds something older
 * than what was seen elsewhere *before* that differs. A key that is written all the time differs at every
 * look, and yet passes: each look finds everyone beyond the one before.
 */
import { asMeridianError, formatStamp, type Stamp } from "@meridian/protocol";

import { Party, type PartyAddress } from "./party.ts";
import { pause, settle } from "./settling.ts";
import { isOlder, list, newestOf, walk, type Holdings, type SuspectRange } from "./suspects.ts";

/** What to compare. */
export interface VerifyOptions {
  readonly directory: string;
  readonly nodes: readonly PartyAddress[];
  /** How many differing keys are named, at most. */
  readonly keysMax: number;
  /** How long to wait for nodes that are behind, each time, in milliseconds. */
  readonly patienceMs: number;
}

/** A party and how it compares. */
export interface PartyReport extends PartyAddress {
  /** Tombstones and expired ones included; null if it did not answer. */
  readonly entries: number | null;
  /** Keys of which it holds nothing, or something older than another party. */
  readonly differing: number;
  /** Why it could not be compared; null if it could. */
  readonly failure: string | null;
  /** It had not caught up when the patience was over. */
  readonly behind: boolean;
}

/** A key that parties differ on: by the name of each, the stamp that it holds, or null for none. */
export interface DifferingKey {
  readonly key: string;
  readonly stamps: Readonly<Record<string, string | null>>;
}

/** What came out. */
export interface VerifyReport {
  /** No two parties differ, and all of them answered. */
  readonly equal: boolean;
  readonly parties: readonly PartyReport[];
  /** How many keys differ. */
  readonly differing: number;
  /** The first of them. */
  readonly keys: readonly DifferingKey[];
}

const DIRECTORY = "directory";
/** How often a key is looked at again, at most. */
const LOOKS = 2;
const PAUSE_MS = 250;
/** Suspects are looked at again when there are so many. */
const BATCH_KEYS = 5_000;

/** Compares everything. Throws what the directory answered, or `NO_READY_NODE` if it does not. */
export async function verifyCluster(options: VerifyOptions): Promise<VerifyReport> {
  const directory = new Party({ name: DIRECTORY, url: options.directory });
  await directory.logProgress();
  const failures = new Map<string, string>();
  const addresses = [{ name: DIRECTORY, url: options.directory }, ...options.nodes];
  let nodes = options.nodes.map((address) => new Party(address));
  for (;;) {
    nodes = await reachable(nodes, failures);
    const comparison = new Comparison(directory, nodes, options);
    try {
      await comparison.run();
    } catch (cause) {
      // Somebody was lost on the way: without it, the others are compared anew.
      await directory.logProgress();
      const left = await reachable(nodes, failures);
      if (left.length === nodes.length) throw cause;
      nodes = left;
      continue;
    }
    return comparison.report(addresses, failures);
  }
}

async function reachable(nodes: readonly Party[], failures: Map<string, string>): Promise<Party[]> {
  const answers = await Promise.all(
    nodes.map((node) =>
      node.nodeProgress().then(
        () => true,
        (cause: unknown) => {
          failures.set(node.name, asMeridianError(cause).message);
          return false;
        },
      ),
    ),
  );
  return nodes.filter((_, index) => answers[index]);
}

/** One comparison of parties that all answer. */
class Comparison {
  readonly #directory: Party;
  readonly #nodes: readonly Party[];
  readonly #parties: readonly Party[];
  readonly #options: VerifyOptions;
  readonly #entries: number[];
  readonly #behind = new Set<string>();
  readonly #differingOf: number[];
  readonly #keys: DifferingKey[] = [];
  #differing = 0;
  #suspects: SuspectRange[] = [];
  #suspectKeys = 0;

  constructor(directory: Party, nodes: readonly Party[], options: VerifyOptions) {
    this.#directory = directory;
    this.#nodes = nodes;
    this.#parties = [directory, ...nodes];
    this.#options = options;
    this.#entries = this.#parties.map(() => 0);
    this.#differingOf = this.#parties.map(() => 0);
  }

  async run(): Promise<void> {
    for await (const { counts, suspect } of walk(this.#parties)) {
      for (const [index, count] of counts.entries()) {
        this.#entries[index] = (this.#entries[index] ?? 0) + count;
      }
      if (suspect === undefined) continue;
      this.#suspects.push(suspect);
      this.#suspectKeys += suspect.keys.size;
      if (this.#suspectKeys >= BATCH_KEYS) await this.#judge();
    }
    await this.#judge();
  }

  report(addresses: readonly PartyAddress[], failures: ReadonlyMap<string, string>): VerifyReport {
    const parties = addresses.map(({ name, url }): PartyReport => {
      const index = this.#parties.findIndex((party) => party.name === name);
      return {
        name,
        url,
        entries: this.#entries[index] ?? null,
        differing: this.#differingOf[index] ?? 0,
        failure: index < 0 ? (failures.get(name) ?? "It does not answer") : null,
        behind: this.#behind.has(name),
      };
    });
    return {
      equal: this.#differing === 0 && parties.every(({ failure }) => failure === null),
      parties,
      differing: this.#differing,
      keys: this.#keys,
    };
  }

  /** Looks at the suspects again, until none is left or they have been looked at often enough. */
  async #judge(): Promise<void> {
    let suspects: readonly SuspectRange[] = this.#suspects.filter(({ keys }) => keys.size > 0);
    this.#suspects = [];
    this.#suspectKeys = 0;
    for (let look = 0; look < LOOKS && suspects.length > 0; look += 1) {
      if (look > 0) await pause(PAUSE_MS);
      // Whoever was behind the last time is not waited for again.
      const patienceMs = this.#behind.size > 0 ? 0 : this.#options.patienceMs;
      const behind = await settle(this.#directory, this.#nodes, patienceMs);
      for (const { name } of behind) this.#behind.add(name);
      suspects = await this.#stillDiffering(suspects);
    }
    for (const { keys } of suspects) for (const [key, held] of keys) this.#note(key, held);
  }

  async #stillDiffering(suspects: readonly SuspectRange[]): Promise<readonly SuspectRange[]> {
    const left: SuspectRange[] = [];
    for (const { after, through, keys } of suspects) {
      const { suspect } = await list(this.#parties, { after, through });
      const still = new Map<string, Holdings>();
      for (const [key, holdings] of suspect?.keys ?? []) {
        const before = keys.get(key);
        if (before === undefined) continue;
        const seen = newestOf(before);
        if (holdings.some((held) => isOlder(held, seen))) still.set(key, holdings);
      }
      if (still.size > 0) left.push({ after, through, keys: still });
    }
    return left;
  }

  #note(key: string, holdings: Holdings): void {
    this.#differing += 1;
    const newest = newestOf(holdings);
    for (const [index, held] of holdings.entries()) {
      if (isOlder(held, newest)) this.#differingOf[index] = (this.#differingOf[index] ?? 0) + 1;
    }
    if (this.#keys.length >= this.#options.keysMax) return;
    const stamps = this.#parties.map(({ name }, index) => [name, textOf(holdings[index])] as const);
    this.#keys.push({ key, stamps: Object.fromEntries(stamps) });
  }
}

function textOf(stamp: Stamp | undefined): string | null {
  return stamp === undefined ? null : formatStamp(stamp);
}
