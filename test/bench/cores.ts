/**
 * What a region could do with more cores, computed from what is measured and simulated here: `npm run bench:cores -- [--cores 1,2,4,8,16]`. No region does it yet.
 *
 * The plan (see SCALE.md) is one thread that writes, as today, and threads that answer reads, each with a memory and a connection to the store of its own. Three things
 * decide what it brings:
 *
 * - The memory is divided. Every thread is asked for the same keys as all others, and has an n-th of the memory for them. Simulated is the share of hits, with
 *   the cache that regions use, a million keys by a Zipf distribution, and memory for a tenth of them.
 * - Each thread has to hear of each write before it is acknowledged. Measured is what it costs all threads to pass on the block of a frame and to take its keys
 *   out of a cache, in frames of one write and of a hundred.
 * - One thread writes all.
 *
 * What a hit, a read of the store and a write cost is given in µs of a processor: `--hit 11.5 --read 74 --write 57`.
 */
import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { parseArgs } from "node:util";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";

import { TlruCache } from "@meridian/cache";
import { encodeBlock, stampTimeOf, type Entry } from "@meridian/protocol";
import { seededRandom } from "@meridian/runtime";
import { bundleSource } from "@meridian/source-bundle";

import { HELD, type Passed } from "./cores-thread.ts";

const { values } = parseArgs({
  options: {
    cores: { type: "string", default: "1,2,4,8,16" },
    hit: { type: "string", default: "11.5" },
    read: { type: "string", default: "74" },
    write: { type: "string", default: "57" },
  },
});
const [HIT, READ, WRITE] = [Number(values.hit), Number(values.read), Number(values.write)];
const CORES = values.cores.split(",").map(Number);

const KEYS = 1_000_000;
const EXPONENT = 0.99;
const READS = 400_000;
const MESSAGES = 20_000;

/** One write in so many reads. */
const WRITE_SHARES: readonly number[] = [0, 0.001, 0.01, 0.1];

/** Draws keys by a Zipf distribution. */
function zipf(seed: number): () => string {
  const random = seededRandom(seed);
  const sums = new Float64Array(KEYS);
  let sum = 0;
  for (let n = 0; n < KEYS; n += 1) sums[n] = sum += (n + 1) ** -EXPONENT;
  return () => {
    const at = random.next() * sum;
    let [low, high] = [0, KEYS - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] ?? 0) < at) low = middle + 1;
      else high = middle;
    }
    return `key/${low}`;
  };
}

/** The share of reads that the memory of one of so many threads answers, once it is full. */
function hitShare(threads: number): number {
  const cache = new TlruCache<string, number>({ maxEntries: Math.floor(HELD / threads) });
  const draw = zipf(threads);
  let hits = 0;
  for (let read = 0; read < 2 * READS; read += 1) {
    const key = draw();
    if (cache.get(key) === undefined) cache.set(key, read);
    else if (read >= READS) hits += 1;
  }
  cache.close();
  return hits / READS;
}

function entryOf(index: number): Entry {
  const stamp = { time: stampTimeOf(1_800_000_000_000), origin: 1_000 };
  const value = new Uint8Array(100);
  return { key: `key/${index}`, value, contentType: "", stamp, expiresAtMs: 0, deleted: false };
}

/** What passing one write on to one thread costs both, in µs, in frames of so many. */
async function passingCost(thread: Worker, writes: number): Promise<number> {
  const entries = Array.from({ length: writes }, (_, index) => entryOf(index * 7));
  const block = encodeBlock(entries);
  const spent = async (messages: number, post: () => void): Promise<number> => {
    const before = process.cpuUsage();
    for (let sent = 0; sent < messages; sent += 1) {
      post();
      await setImmediate();
    }
    thread.postMessage({ count: 0 } satisfies Passed);
    await once(thread, "message");
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  const messages = Math.ceil(MESSAGES / Math.sqrt(writes));
  const idle = await spent(messages, () => {});
  const busy = await spent(messages, () =>
    thread.postMessage({ block, count: writes } satisfies Passed),
  );
  return (busy - idle) / messages / writes;
}

/**
 * Reads a second with so many cores, where `share` writes come to each read and passing a write on costs `pass`. The thread that writes has a core of its own if
 * there are several; half of the passing is its work.
 */
function readsPerSecond(cores: number, hits: number, share: number, pass: number): number {
  const read = hits * HIT + (1 - hits) * READ;
  if (cores === 1) return 1e6 / (read + share * WRITE);
  const readers = cores - 1;
  const ofWriter = share * (WRITE + (readers * pass) / 2);
  // The writer reads, too, as far as it has time for it.
  const shared = (cores * 1e6) / (read + ofWriter + (share * readers * pass) / 2);
  return ofWriter === 0 ? shared : Math.min(shared, 1e6 / ofWriter);
}

async function main(): Promise<void> {
  const file = fileURLToPath(new URL("./cores-thread.ts", import.meta.url));
  const thread = new Worker(pathToFileURL(await bundleSource(file)));
  await once(thread, "message");
  await passingCost(thread, 1);
  const [lone, many] = [await passingCost(thread, 1), await passingCost(thread, 100)];
  await thread.terminate();
  console.log(`a hit ${HIT} µs, a read of the store ${READ} µs, a write ${WRITE} µs (given)`);
  console.log(
    `a write passed on to a thread: ${lone.toFixed(1)} µs alone, ${many.toFixed(2)} µs in a frame of 100`,
  );
  const heads = WRITE_SHARES.map((share) => `${share * 100} % writes`.padStart(22));
  console.log(
    `cores  hits shared / divided ${heads.join("")}   (thousand reads a second: frames of 1 / 100)`,
  );
  const shared = hitShare(1);
  for (const cores of CORES) {
    const divided = cores === 1 ? shared : hitShare(cores);
    const cells = WRITE_SHARES.map((share) => {
      const rates = [lone, many].map((pass) => readsPerSecond(cores, divided, share, pass) / 1_000);
      return rates
        .map((rate) => rate.toFixed(0))
        .join(" / ")
        .padStart(22);
    });
    const told = `${(shared * 100).toFixed(1)} / ${(divided * 100).toFixed(1)} %`;
    console.log(`${String(cores).padStart(5)}  ${told.padStart(21)} ${cells.join("")}`);
  }
}

await main();
