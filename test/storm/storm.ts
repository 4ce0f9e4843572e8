/**
 * A storm over a real cluster: processes are killed, halted and put back to old data, cables are cut both ways and one
 * way, between directories too, faults overlap, and clients write all the while. Then everything is healed, and
 * what clients were told must hold on every region.
 */
import { Load, type Got, type LoadCounts } from "@meridian/local-cluster";
import { parseStamp } from "@meridian/protocol";
import { seededRandom, type Random } from "@meridian/runtime";
import {
  Cluster,
  type PartyDigest,
  FIVE_PLACES,
  type Network,
  type Region,
  request,
} from "@meridian/harness";

import { faultsOf } from "./faults.ts";

/** How a storm is raised. */
export interface StormOptions {
  readonly rounds: number;
  /** Writes a second, over all regions. */
  readonly rate: number;
  /** What the faults are drawn from. Their times are the machine's, so that a seed repeats them only about. */
  readonly seed: number;
  readonly network: Network;
  /** How many directories there are. */
  readonly directories: number;
  /** Told of each fault. */
  readonly tell: (line: string) => void;
}

/** What came of a storm. */
export interface StormReport {
  /** How often each fault was done. */
  readonly faults: ReadonlyMap<string, number>;
  readonly counts: LoadCounts;
  readonly stormMs: number;
  /** From the end of all faults and writes to equal digests. */
  readonly convergenceMs: number;
  readonly digest: PartyDigest;
  /** Promises that are broken, at any region, in plain words. */
  readonly wrong: readonly string[];
  /** What no fault excuses, as the programs said it. */
  readonly bugs: readonly string[];
  /** The memory of each process at the end, in bytes. */
  readonly memory: readonly (readonly [name: string, bytes: number])[];
}

const BATCH_KEYS = 1_000;
/** How many keys there are; few enough for regions to overwrite and delete each other's. */
const SHARED_KEYS = 20_000;
const SESSIONS_EACH = 24;
/** Longer than most of what goes wrong takes: a write that is answered at last is one of which more is known. */
const PATIENCE_MS = 4_000;
/** How long the cluster may take to agree in the end. */
const CONVERGENCE_MS_MAX = 60_000;

/** A cluster in a storm. */
export class Storm {
  readonly #options: StormOptions;
  readonly #cluster: Cluster;
  readonly #random: Random;
  readonly #faults = new Map<string, number>();
  /** What is hit now, by name. */
  readonly #hit = new Set<string>();
  readonly #healing: Promise<void>[] = [];

  constructor(options: StormOptions) {
    this.#options = options;
    this.#cluster = new Cluster(options);
    this.#random = seededRandom(options.seed);
  }

  /** What the programs printed last. */
  report(): string {
    return this.#cluster.report();
  }

  /** Ends every process and removes every file. */
  dispose(): Promise<void> {
    return this.#cluster.dispose();
  }

  /** Raises the storm, heals everything, and looks. */
  async run(): Promise<StormReport> {
    const { rounds, rate, seed } = this.#options;
    const cluster = this.#cluster;
    await cluster.start(FIVE_PLACES);
    const load = new Load({
      destinations: cluster.regions,
      rate,
      random: seededRandom(seed + 1),
      prefix: "k",
      ttlMsMax: 0,
      sharedKeys: SHARED_KEYS,
      sessionsEach: SESSIONS_EACH,
      patienceMs: PATIENCE_MS,
    });
    load.start();
    const startedAtMs = performance.now();
    for (let round = 1; round <= rounds; round += 1) {
      await this.#strike(round, load);
      await this.#pause(300, 1_500);
    }
    await Promise.all(this.#healing);
    const stormMs = performance.now() - startedAtMs;
    await load.stop();
    const healedAtMs = performance.now();
    const digest = await cluster.converged(undefined, CONVERGENCE_MS_MAX);
    const convergenceMs = performance.now() - healedAtMs;
    const wrong: string[] = [...load.violations];
    for (const region of cluster.regions) wrong.push(...(await judge(region, load)));
    return {
      faults: this.#faults,
      counts: load.counts(),
      stormMs,
      convergenceMs,
      digest,
      wrong,
      bugs: cluster.lines().filter((line) => / error |INTERNAL/.test(line)),
      memory: cluster.memory(),
    };
  }

  /** Does one fault to what is not hit already, and has it undone after a while. */
  async #strike(round: number, load: Load): Promise<void> {
    const region = pick(this.#random, this.#cluster.regions);
    const directory = Math.floor(this.#random.next() * this.#options.directories);
    const faults = faultsOf(this.#cluster, load, { region, directory });
    const { name, victim, strike } = pick(this.#random, faults);
    if (this.#hit.has(victim)) return this.#strike(round, load);
    this.#hit.add(victim);
    this.#faults.set(name, (this.#faults.get(name) ?? 0) + 1);
    this.#options.tell(`${round}: ${name}, ${victim}`);
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

/** Reads every key at a region. Returns the promises that are broken. */
async function judge(region: Region, { ledger }: Load): Promise<readonly string[]> {
  const broken: string[] = [];
  const { keys } = ledger;
  for (let at = 0; at < keys.length; at += BATCH_KEYS) {
    const part = keys.slice(at, at + BATCH_KEYS);
    const response = await request(`${region.url}/batch/get`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ keys: part }),
    });
    const { entries } = (await response.json()) as { readonly entries: readonly Held[] };
    for (const entry of entries) {
      const said = ledger.broken(entry.key, gotOf(entry), ledger.floor(entry.key), Date.now());
      if (said !== undefined) broken.push(`in the end, at ${region.name}: ${said}`);
    }
  }
  return broken;
}

/** What a region says of a key. */
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
