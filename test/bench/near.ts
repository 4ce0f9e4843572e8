/**
 * The near cache: how long a hit takes, beside lru-cache, and how long a set in one region is on its way to the near caches of clients in four others.
 * Directory and regions are processes on this machine, and the clients are in this one.
 *
 * Usage: npm run bench:near [sets]
 */
import { connect, type MeridianClient } from "@meridian/client";
import { Cluster, FIVE_PLACES, until } from "@meridian/harness";
import { LRUCache } from "lru-cache";

const SETS = Number(process.argv[2] ?? 200);
const KEYS = 1_000;
const HITS = 100_000;
const ROUNDS = 7;

const keyOf = (n: number): string => `near:${n % KEYS}`;
const medianOf = (values: readonly number[], share = 0.5): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? NaN;

/** Nanoseconds of one read, of many. Every value is checked. */
async function readAll(read: (key: string) => unknown): Promise<number> {
  let wrong = 0;
  const startMs = performance.now();
  for (let n = 0; n < HITS; n += 1) if ((await read(keyOf(n))) !== n % KEYS) wrong += 1;
  const tookMs = performance.now() - startMs;
  if (wrong > 0) throw new Error(`Expected the values that were set, got ${wrong} others`);
  return (tookMs * 1e6) / HITS;
}

async function measureHits(client: MeridianClient): Promise<void> {
  const cache = new LRUCache<string, number>({ max: 2 * KEYS });
  for (let n = 0; n < KEYS; n += 1) {
    cache.set(keyOf(n), n);
    await client.set(keyOf(n), n);
  }
  await until("all is near", async () => {
    for (let n = 0; n < KEYS; n += 1) await client.get(keyOf(n));
    return (client.status().near?.hits ?? 0) > KEYS;
  });
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    ours.push(await readAll((key) => client.get(key)));
    theirs.push(await readAll((key) => cache.get(key)));
  }
  const [near, lru] = [medianOf(ours), medianOf(theirs)];
  console.log(
    `a hit, awaited: near cache ${near.toFixed(0)} ns, lru-cache ${lru.toFixed(0)} ns, ratio ${(near / lru).toFixed(2)}`,
  );
}

/** From before a set in the first region until a client of another one returns the value from its near cache. */
async function measureWay(
  writer: MeridianClient,
  readers: readonly MeridianClient[],
): Promise<void> {
  const times: number[] = [];
  for (let n = 0; n < SETS; n += 1) {
    const startMs = performance.now();
    const written = writer.set("way", n);
    await Promise.all(
      readers.map(async (reader) => {
        while ((await reader.get("way")) !== n) await new Promise(setImmediate);
        times.push(performance.now() - startMs);
      }),
    );
    await written;
  }
  const [p50, p99] = [medianOf(times), medianOf(times, 0.99)];
  console.log(
    `a set, until four other regions' near caches: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
  );
}

const cluster = new Cluster();
const clients: MeridianClient[] = [];
try {
  await cluster.start(FIVE_PLACES);
  for (const { url } of cluster.regions) {
    clients.push(await connect({ nodes: [url], near: { maxEntries: 2 * KEYS } }));
  }
  const [writer, ...readers] = clients;
  if (writer === undefined) throw new Error("Expected five regions, got none");
  await measureHits(writer);
  await measureWay(writer, readers);
} finally {
  for (const client of clients) client.close();
  await cluster.dispose();
}
