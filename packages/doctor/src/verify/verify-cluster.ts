/**
 * Proves that all directories and nodes hold the same entries, or finds the keys on which they differ.
 *
 * The cluster may be under load, so a write that is still being replicated must not count as a difference. Keys that differ are
 * compared again once all parties have applied what the directories had. A party differs only if it then still has an older stamp
 * than another party had *before*. For example, node A has stamp 5 and node B stamp 7; after the wait A has 7 or 9: no difference. If A
 * still has 5, it differs. So a key that is written all the time passes although it differs in each comparison.
 */
import { asMeridianError, formatStamp, MeridianError, type Stamp } from "@meridian/protocol";

import { Party, type AskParty, type PartyAddress, type Tally } from "./party.ts";
import { settle, type Pace } from "./settling.ts";
import { isOlder, list, newestOf, walk, type Holdings, type SuspectRange } from "./suspects.ts";

/** What to compare. */
export interface VerifyOptions extends Pace {
  /** At least one. */
  readonly directories: readonly PartyAddress[];
  readonly nodes: readonly PartyAddress[];
  /** How many differing keys are named, at most. */
  readonly keysMax: number;
  /** How long to wait for nodes that are behind, each time, in milliseconds. */
  readonly patienceMs: number;
  readonly ask: AskParty;
  /** Told how many entries of each party have been compared so far. */
  readonly onProgress?: (entries: number) => void;
  /** Ends the comparison. */
  readonly signal?: AbortSignal;
}

/** What one comparison reads of the options. */
type Comparing = Pick<
  VerifyOptions,
  "keysMax" | "patienceMs" | "elapsedMs" | "pause" | "onProgress"
>;

/** A party and how it compares. */
export interface PartyReport extends PartyAddress {
  readonly kind: "directory" | "node";
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
interface DifferingKey {
  readonly key: string;
  readonly stamps: Readonly<Record<string, string | null>>;
}

/** The result of a comparison. */
export interface VerifyReport {
  /** Whether no two parties differ, all parties answered, and none is missing. */
  readonly equal: boolean;
  /** What they hold: live, expired and deleted entries; null where that is not one answer, or they are too many to count. */
  readonly tally: Tally | null;
  readonly parties: readonly PartyReport[];
  /** How many keys differ. */
  readonly differing: number;
  /** The first of them. */
  readonly keys: readonly DifferingKey[];
}

/** How often a key is looked at again, at most. */
const LOOKS = 2;
const PAUSE_MS = 250;
/** Up to so many entries are counted by their state after the comparison, because they have to be listed for this. */
const TALLY_MAX = 100_000;
/** Suspects are looked at again when there are so many. */
const BATCH_KEYS = 5_000;

/** Compares everyone who answers. Throws `DIRECTORY_UNREACHABLE` if no directory does, what else a party answered, and the signal's reason. */
export async function verifyCluster(options: VerifyOptions): Promise<VerifyReport> {
  const { signal } = options;
  const directories = options.directories.map((address) => new Party(address, options.ask));
  const nodes = options.nodes.map((address) => new Party(address, options.ask));
  const failures = new Map<Party, string>();
  await expectOneCluster(directories, nodes);
  for (let lost = -1; ;) {
    signal?.throwIfAborted();
    await Promise.all([
      ...directories.map((party) => ask(party, () => party.logProgress(), failures)),
      ...nodes.map((party) => ask(party, () => party.nodeProgress(), failures)),
    ]);
    signal?.throwIfAborted();
    if (directories.every((party) => failures.has(party))) {
      const said = directories.map((party) => failures.get(party)).join("; ");
      throw new MeridianError("DIRECTORY_UNREACHABLE", said);
    }
    const isThere = (party: Party): boolean => !failures.has(party);
    const comparison = new Comparison(directories.filter(isThere), nodes.filter(isThere), options);
    try {
      await comparison.run();
    } catch (cause) {
      // A party stopped answering during the comparison, so the others are compared anew without it.
      if (failures.size === lost) throw cause;
      lost = failures.size;
      continue;
    }
    const report = comparison.report(directories, nodes, failures);
    const counted = report.differing > 0 ? undefined : directories.find(isThere);
    const tally = await counted?.tally(TALLY_MAX).catch(() => undefined);
    return { ...report, tally: tally ?? null };
  }
}

/** All parties must belong to the cluster of the first directory that answers. */
async function expectOneCluster(
  directories: readonly Party[],
  nodes: readonly Party[],
): Promise<void> {
  for (const directory of directories) {
    const progress = await directory.logProgress().catch(() => undefined);
    if (progress === undefined) continue;
    for (const party of [...directories, ...nodes]) party.cluster = progress.cluster;
    return;
  }
}

/** Notes why a party does not answer, and does not ask it again. */
async function ask(
  party: Party,
  question: () => Promise<unknown>,
  failures: Map<Party, string>,
): Promise<void> {
  if (failures.has(party)) return;
  await question().catch((cause: unknown) => {
    failures.set(party, asMeridianError(cause).message);
  });
}

/** One comparison of parties that all answer. */
class Comparison {
  readonly #directories: readonly Party[];
  readonly #nodes: readonly Party[];
  readonly #parties: readonly Party[];
  readonly #options: Comparing;
  readonly #entries: number[];
  readonly #behind = new Set<Party>();
  readonly #differingOf: number[];
  readonly #keys: DifferingKey[] = [];
  #differing = 0;
  #suspects: SuspectRange[] = [];
  #suspectKeys = 0;

  constructor(directories: readonly Party[], nodes: readonly Party[], options: Comparing) {
    this.#directories = directories;
    this.#nodes = nodes;
    this.#parties = [...directories, ...nodes];
    this.#options = options;
    this.#entries = this.#parties.map(() => 0);
    this.#differingOf = this.#parties.map(() => 0);
  }

  async run(): Promise<void> {
    for await (const { counts, suspect } of walk(this.#parties)) {
      for (const [index, count] of counts.entries()) {
        this.#entries[index] = (this.#entries[index] ?? 0) + count;
      }
      this.#options.onProgress?.(Math.max(...this.#entries));
      if (suspect === undefined) continue;
      this.#suspects.push(suspect);
      this.#suspectKeys += suspect.keys.size;
      if (this.#suspectKeys >= BATCH_KEYS) await this.#judge();
    }
    await this.#judge();
  }

  /** The result, with the parties that failed before the comparison. */
  report(
    directories: readonly Party[],
    nodes: readonly Party[],
    failures: ReadonlyMap<Party, string>,
  ): Omit<VerifyReport, "tally"> {
    const describe = (kind: PartyReport["kind"], party: Party): PartyReport => {
      const index = this.#parties.indexOf(party);
      return {
        name: party.name,
        url: party.url,
        kind,
        entries: this.#entries[index] ?? null,
        differing: this.#differingOf[index] ?? 0,
        failure: failures.get(party) ?? null,
        behind: this.#behind.has(party),
        ...(party.gone !== undefined && { gone: party.gone }),
      };
    };
    const parties = [
      ...directories.map((party) => describe("directory", party)),
      ...nodes.map((party) => describe("node", party)),
    ];
    return {
      equal: this.#differing === 0 && failures.size === 0 && nodes.every(isPresent),
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
      if (look > 0) await this.#options.pause(PAUSE_MS);
      // Parties that were behind the last time are not waited for again.
      const patienceMs = this.#behind.size > 0 ? 0 : this.#options.patienceMs;
      const behind = await settle(this.#directories, this.#nodes, patienceMs, this.#options);
      for (const party of behind) this.#behind.add(party);
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

function isPresent({ gone }: Party): boolean {
  return gone === undefined;
}

function textOf(stamp: Stamp | undefined): string | null {
  return stamp === undefined ? null : formatStamp(stamp);
}
