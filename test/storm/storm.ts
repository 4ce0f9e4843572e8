/**
 * A storm over a real cluster: processes are killed, halted and set back to old data; lines are cut in both directions or one,
 * also between directories; faults overlap; and clients write and read meanwhile, over HTTP and over WebSockets. Others watch all
 * keys of a region, hang up and come back. Then all faults are undone, every region must have every acknowledged write, and every
 * watch must have been told of what its region has.
 */
import { Load, RegionRequests, type Got, type LoadCounts } from "@meridian/local-cluster";
import { parseStamp } from "@meridian/protocol";
import { seededRandom, type Random } from "@meridian/runtime";
import {
  Cluster,
  type PartyDigest,
  FIVE_PLACES,
  type Network,
  type Region,
  request,
  until,
} from "@meridian/harness";

import { faultsOf } from "./faults.ts";
import { SocketRequests } from "./socket-requests.ts";
import { SocketWatch } from "./socket-watch.ts";

/** The options of a storm. */
export interface StormOptions {
  readonly rounds: number;
  /** Writes a second, over all regions. */
  readonly rate: number;
  /** The seed of the faults. Their times depend on the machine, so the same seed repeats a storm only roughly. */
  readonly seed: number;
  readonly network: Network;
  /** How many directories there are. */
  readonly directories: number;
  /** Called with one line for each fault. */
  readonly tell: (line: string) => void;
}

/** The result of a storm. */
export interface StormReport {
  /** How often each fault happened, by its name. */
  readonly faults: ReadonlyMap<string, number>;
  readonly counts: LoadCounts;
  /** How often watches went on where they were, and how often they read all keys. */
  readonly watches: { readonly resumed: number; readonly reloads: number };
  readonly stormMs: number;
  /** The time from the end of all faults and writes until all digests were equal. */
  readonly convergenceMs: number;
  readonly digest: PartyDigest;
  /** A sentence for each broken guarantee at a region. */
  readonly wrong: readonly string[];
  /** Lines of the programs' logs that no fault explains. */
  readonly bugs: readonly string[];
  /** The memory of each process at the end, in bytes. */
  readonly memory: readonly (readonly [name: string, bytes: number])[];
}

const BATCH_KEYS = 1_000;
/** How many keys there are; few enough for regions to overwrite and delete each other's. */
const SHARED_KEYS = 20_000;
const SESSIONS_EACH = 24;
/** Each third session, of those that stay with a region and of those that do not, asks over WebSockets. */
const SOCKETS_EVERY = 3;
/** The prefix of all keys. */
const PREFIX = "k";
/** How long a watch may take to hear of what is long stored, in milliseconds. */
const TOLD_MS_MAX = 10_000;
/** How long a client waits for an answer, in milliseconds: longer than most faults last, because of an unanswered write the test does not know whether it was stored. */
const PATIENCE_MS = 4_000;
/** How long the digests may take to become equal at the end. */
const CONVERGENCE_MS_MAX = 60_000;

/** Starts a cluster, and exposes it to a storm. */
export class Storm {
  readonly #options: StormOptions;
  readonly #cluster: Cluster;
  readonly #random: Random;
  readonly #faults = new Map<string, number>();
  /** The names of the processes and lines that have a fault now. */
  readonly #hit = new Set<string>();
  readonly #healing: Promise<void>[] = [];

  constructor(options: StormOptions) {
    this.#options = options;
    this.#cluster = new Cluster(options);
    this.#random = seededRandom(options.seed);
  }

  /** The last lines that the programs printed. */
  report(): string {
    return this.#cluster.report();
  }

  /** Ends every process and removes every file. */
  dispose(): Promise<void> {
    return this.#cluster.dispose();
  }

  /** Runs the storm, undoes all faults, and checks every region. */
  async run(): Promise<StormReport> {
    const { rounds, rate, seed } = this.#options;
    const cluster = this.#cluster;
    await cluster.start(FIVE_PLACES);
    const load = new Load({
      destinations: cluster.regions,
      rate,
      random: seededRandom(seed + 1),
      prefix: PREFIX,
      ttlMsMax: 0,
      sharedKeys: SHARED_KEYS,
      sessionsEach: SESSIONS_EACH,
      patienceMs: PATIENCE_MS,
      requestsOf: (session) =>
        session % SOCKETS_EVERY === 0
          ? new SocketRequests(PATIENCE_MS)
          : new RegionRequests(PATIENCE_MS),
    });
    // Every other region is watched.
    const watches = cluster.regions
      .filter((_, index) => index % 2 === 0)
      .map((region) => new SocketWatch(region, PREFIX));
    for (const watch of watches) watch.start();
    load.start();
    const startedAtMs = performance.now();
    for (let round = 1; round <= rounds; round += 1) {
      await this.#strike(round, load);
      await this.#pause(300, 1_500);
      watches[round % watches.length]?.hangUp();
    }
    await Promise.all(this.#healing);
    const stormMs = performance.now() - startedAtMs;
    await load.stop();
    const healedAtMs = performance.now();
    const digest = await cluster.converged(undefined, CONVERGENCE_MS_MAX);
    const convergenceMs = performance.now() - healedAtMs;
    const wrong: string[] = [...load.violations];
    for (const region of cluster.regions) {
      const held = await heldBy(region, load.ledger.keys);
      wrong.push(...judge(region, held, load));
      const watch = watches.find((each) => each.region === region);
      if (watch !== undefined) wrong.push(...(await judgeWatch(watch, held)));
    }
    for (const watch of watches) watch.stop();
    return {
      faults: this.#faults,
      counts: load.counts(),
      watches: {
        resumed: watches.reduce((sum, watch) => sum + watch.resumed, 0),
        reloads: watches.reduce((sum, watch) => sum + watch.reloads, 0),
      },
      stormMs,
      convergenceMs,
      digest,
      wrong,
      bugs: cluster.lines().filter((line) => / error |INTERNAL/.test(line)),
      memory: cluster.memory(),
    };
  }

  /** Causes one fault, at a process or line that has none, and undoes it after a while. */
  async #strike(round: number, load: Load): Promise<void> {
    const region = pick(this.#random, this.#cluster.regions);
    const directory = Math.floor(this.#random.next() * this.#options.directories);
    const faults = faultsOf(this.#cluster, load, { region, directory });
    const { name, victim, strike } = pick(this.#random, faults);
    if (this.#hit.has(victim)) return this.#strike(round, load);
    this.#hit.add(victim);
    this.#faults.set(name, (this.#faults.get(name) ?? 0) + 1);
    const at = new Date().toISOString().slice(11);
    this.#options.tell(`${at} ${round}: ${name}, ${victim}`);
    const undo = await strike();
    const healing = this.#pause(300, 3_500)
      .then(undo)
      .then(() => this.#hit.delete(victim));
    this.#healing.push(healing.then(() => {}));
  }

  #pause(fromMs: number, toMs: number): Promise<void> {
    const ms = fromMs + this.#random.next() * (toMs - fromMs);
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}

/** Reads every key at a region. */
async function heldBy(region: Region, keys: readonly string[]): Promise<readonly Held[]> {
  const held: Held[] = [];
  for (let at = 0; at < keys.length; at += BATCH_KEYS) {
    const part = keys.slice(at, at + BATCH_KEYS);
    const response = await request(`${region.url}/batch/get`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ keys: part }),
    });
    const { entries } = (await response.json()) as { readonly entries: readonly Held[] };
    held.push(...entries);
  }
  return held;
}

/** Returns a sentence for each guarantee that what a region holds breaks. */
function judge({ name }: Region, held: readonly Held[], { ledger }: Load): readonly string[] {
  const said = held.map((entry) => {
    return ledger.broken(entry.key, gotOf(entry), ledger.floor(entry.key), Date.now());
  });
  return said.filter((each) => each !== undefined).map((each) => `in the end, at ${name}: ${each}`);
}

/** Returns a sentence for each key of which a watch does not know what its region holds. */
async function judgeWatch(watch: SocketWatch, held: readonly Held[]): Promise<readonly string[]> {
  const differences = (): readonly string[] =>
    held
      .map(({ key, found, etag }) => watch.differs(key, found ? etag : undefined))
      .filter((each) => each !== undefined)
      .map((each) => `in the end, at ${watch.region.name}: ${each}`);
  const isTold = (): boolean => differences().length === 0;
  await until("a watch knows what its region holds", isTold, TOLD_MS_MAX).catch(() => {});
  return differences();
}

/** A region's answer about a key. */
interface Held {
  readonly key: string;
  readonly found: boolean;
  readonly value: string;
  readonly etag: string;
}

function gotOf({ found, value, etag }: Held): Got {
  return found ? { number: Number(value), stamp: parseStamp(etag.slice(1, -1)) } : undefined;
}

function pick<T>(random: Random, among: readonly T[]): T {
  const found = among[Math.floor(random.next() * among.length)];
  if (found === undefined) throw new Error("Expected something to choose from");
  return found;
}
