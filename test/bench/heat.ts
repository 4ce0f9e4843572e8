/**
 * What `--share-heat` brings, and what it costs: the share of reads that memory answers, without and with it.
 *
 * Two regions hold the same entries; each has memory for about a tenth of them. The clients of `oslo` read 10 000 keys by a Zipf distribution. Then they turn up in
 * `rome`, and go on as before. The same keys are read in the same order without and with sharing, for each of these:
 *
 *   crowded  clients of `rome` read 10 000 other keys by a Zipf distribution
 *   snug     they read 1 780 other keys, all alike, which just fit into memory: the worst case for whoever has to give some of it away
 *   empty    nobody reads in `rome` before
 *
 * What is printed are the shares of reads that memory answers:
 *
 *   own    reads of each region's own clients, in the second half of the time before the move
 *   first  the first read of each key in `rome`, among the reads of those that have moved: without sharing, none of them has been read there
 *   moved  all reads of those that have moved
 *
 * Every value that is read is checked, and what is counted is held against what was asked. Directory and regions are in this process.
 *
 * Usage: npm run bench:heat [seconds before the move] [reads a second and region]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { getJson, request, startSmallDirectory, startSmallRegion, until } from "@meridian/harness";
import type { RunningRegion } from "@meridian/region";
import { seededRandom, type Random } from "@meridian/runtime";

const [SECONDS = 30, RATE = 500] = process.argv.slice(2).map(Number);
const KEYS = 10_000;
const SNUG_KEYS = 1_780;
const MOVED_READS = 2_000;
const BATCH = 50;
const CACHE_BYTES = 2 * 1024 * 1024;

interface Counts {
  readonly memory: number;
  readonly store: number;
  readonly misses: number;
}

interface Status {
  readonly cache: {
    readonly reads: Counts;
    readonly heat: Readonly<Record<string, number>> | null;
  };
}

const valueOf = (key: string): string => `${key} `.repeat(Math.ceil(1_000 / (key.length + 1)));

/** The keys that one region's clients read, by how often they do. */
class Crowd {
  readonly #keys: readonly string[];
  readonly #random: Random;
  /** The sums of the weights. */
  readonly #sums: Float64Array;

  /** Of so many keys, the n-th is read `n ** -exponent` times as often as the first. */
  constructor(name: string, seed: number, count: number, exponent: number) {
    this.#random = seededRandom(seed);
    this.#keys = Array.from({ length: count }, (_, n) => `${name}:${n}`);
    this.#sums = new Float64Array(count);
    let sum = 0;
    for (let n = 0; n < count; n += 1) this.#sums[n] = sum += (n + 1) ** -exponent;
  }

  get keys(): readonly string[] {
    return this.#keys;
  }

  next(): string {
    const last = this.#keys.length - 1;
    const at = this.#random.next() * (this.#sums[last] ?? 0);
    let [low, high] = [0, last];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sums[middle] ?? 0) < at) low = middle + 1;
      else high = middle;
    }
    return this.#keys[low] ?? "";
  }
}

async function post(url: string, body: object): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const response = await request(url, { method: "POST", headers, body: JSON.stringify(body) });
  const answer = await response.text();
  if (!response.ok) throw new Error(`Expected ${url} to succeed, got ${response.status}`);
  return JSON.parse(answer);
}

/** Reads keys at a region, and checks their values. */
async function read({ url }: RunningRegion, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  const { entries } = (await post(`${url}/batch/get`, { keys })) as {
    readonly entries: readonly { readonly key: string; readonly value?: string }[];
  };
  const wrong = entries.filter(({ key, value }, at) => key !== keys[at] || value !== valueOf(key));
  if (entries.length === keys.length && wrong.length === 0) return;
  throw new Error(`Expected the values of ${keys.length} keys, got ${wrong.length} others`);
}

/** The share of the reads in memory, of those that `work` does; it returns how many these are. */
async function shareOf(region: RunningRegion, work: () => Promise<number>): Promise<number> {
  const countsOf = async (): Promise<Counts> =>
    (await getJson<Status>(`${region.url}/status`)).cache.reads;
  const before = await countsOf();
  const asked = await work();
  const after = await countsOf();
  const [memory, store] = [after.memory - before.memory, after.store - before.store];
  if (memory + store !== asked || after.misses !== 0) {
    throw new Error(`Expected ${asked} reads that find something, got ${memory + store}`);
  }
  return memory / asked;
}

/** Reads as a crowd does, so many a second. */
async function visit(region: RunningRegion, crowd: Crowd, seconds: number): Promise<number> {
  const startMs = performance.now();
  let asked = 0;
  while (asked < seconds * RATE) {
    await read(
      region,
      Array.from({ length: BATCH }, () => crowd.next()),
    );
    asked += BATCH;
    const restMs = startMs + (asked / RATE) * 1_000 - performance.now();
    if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
  }
  return asked;
}

async function fill(region: RunningRegion, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += 500) {
    const entries = keys.slice(at, at + 500).map((key) => ({ key, value: valueOf(key) }));
    await post(`${region.url}/batch/set`, { entries, ack: "all", timeout: "60s" });
  }
}

interface Figures {
  readonly ownOslo: number;
  readonly ownRome: number;
  readonly first: number;
  readonly moved: number;
  readonly heat: Readonly<Record<string, number>> | null;
}

async function measure(
  oslo: RunningRegion,
  rome: RunningRegion,
  south: Crowd | undefined,
): Promise<Figures> {
  const north = new Crowd("north", 1, KEYS, 1);
  await fill(oslo, [...north.keys, ...(south?.keys ?? [])]);
  const half = async (): Promise<readonly number[]> =>
    Promise.all([
      shareOf(oslo, () => visit(oslo, north, SECONDS / 2)),
      south === undefined ? NaN : shareOf(rome, () => visit(rome, south, SECONDS / 2)),
    ]);
  await half();
  const [ownOslo = NaN, ownRome = NaN] = await half();
  const seen = new Set<string>();
  const reads = { first: 0, firstHits: 0, hits: 0 };
  for (let done = 0; done < MOVED_READS; done += BATCH) {
    const keys = Array.from({ length: BATCH }, () => north.next());
    const first = [...new Set(keys.filter((key) => !seen.has(key)))];
    for (const key of first) seen.add(key);
    const again = [...keys];
    for (const key of first) again.splice(again.indexOf(key), 1);
    const firstHits = first.length === 0 ? 0 : (await share(rome, first)) * first.length;
    const otherHits = again.length === 0 ? 0 : (await share(rome, again)) * again.length;
    reads.first += first.length;
    reads.firstHits += firstHits;
    reads.hits += firstHits + otherHits;
  }
  const { heat } = (await getJson<Status>(`${rome.url}/status`)).cache;
  const [first, moved] = [reads.firstHits / reads.first, reads.hits / MOVED_READS];
  return { ownOslo, ownRome, first, moved, heat };
}

function share(region: RunningRegion, keys: readonly string[]): Promise<number> {
  return shareOf(region, async () => {
    await read(region, keys);
    return keys.length;
  });
}

async function run(shareHeat: boolean, south: Crowd | undefined): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), "meridian-heat-"));
  const directory = await startSmallDirectory({ data: join(folder, "directory") });
  const regions: RunningRegion[] = [];
  try {
    for (const id of ["oslo", "rome"]) {
      const region = await startSmallRegion({
        id,
        data: join(folder, id),
        directory: [directory.url],
        durability: "process",
        cacheEntries: 100_000,
        cacheBytes: CACHE_BYTES,
        valueBytesMax: 2_000,
        shareHeat,
      });
      regions.push(region);
      await until(`${id} is ready`, () => region.status === "ready");
    }
    const [oslo, rome] = regions;
    if (oslo === undefined || rome === undefined) throw new Error("Expected two regions");
    return await measure(oslo, rome, south);
  } finally {
    for (const region of regions) await region.stop();
    await directory.stop();
    rmSync(folder, { recursive: true });
  }
}

const SCENES: Readonly<Record<string, () => Crowd | undefined>> = {
  crowded: () => new Crowd("south", 2, KEYS, 1),
  snug: () => new Crowd("south", 2, SNUG_KEYS, 0),
  empty: () => undefined,
};

const percent = (share: number): string =>
  (Number.isNaN(share) ? "–" : `${(share * 100).toFixed(1)} %`).padStart(7);

for (const [scene, southOf] of Object.entries(SCENES)) {
  for (const shareHeat of [false, true]) {
    const { ownOslo, ownRome, first, moved, heat } = await run(shareHeat, southOf());
    const own = `own ${percent(ownOslo)} in oslo, ${percent(ownRome)} in rome`;
    console.log(
      `${scene.padEnd(8)} ${shareHeat ? "shared " : "alone  "} ${own}; first ${percent(first)}, moved ${percent(moved)}`,
    );
    if (heat !== null) console.log(`  rome: ${JSON.stringify(heat)}`);
  }
}
