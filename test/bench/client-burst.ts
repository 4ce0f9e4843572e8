/**
 * Ten thousand concurrent `get`s of one program: the client at a region, beside ioredis at redis-server, which needs
 * to be installed (`apt install redis-server`). Both servers are processes on this machine.
 *
 * The rounds are interleaved, and who is first alternates. Every answer is compared with what was set, after the time
 * is taken. ioredis gives the text that was stored; the client parses its JSON as well.
 *
 * Usage: npm run bench:client-burst [rounds]
 */
import { connect, type MeridianClient } from "@meridian/client";
import { Cluster, FIVE_PLACES } from "@meridian/harness";

import { RedisServer } from "./redis-server.ts";

const CALLS = 10_000;
const KEYS = [1, 100, 10_000];
const ROUNDS = Number(process.argv[2] ?? 15);

const valueOf = (n: number): object => ({ id: n, name: `user number ${n}`, tags: ["a", "b"] });

/** A store that is measured. */
interface Store {
  readonly name: string;
  set(entries: readonly { readonly key: string; readonly value: object }[]): Promise<unknown>;
  /** Whatever the store gives its caller. */
  get(key: string): Promise<unknown>;
  /** That as JSON text. */
  textOf(got: unknown): unknown;
}

/** How long all gets take together, in milliseconds. */
async function burst(store: Store, keys: readonly string[]): Promise<number> {
  const startMs = performance.now();
  const got = await Promise.all(
    Array.from({ length: CALLS }, (_, n) => store.get(keys[n % keys.length] ?? "")),
  );
  const tookMs = performance.now() - startMs;
  for (const [n, value] of got.entries()) {
    const expected = JSON.stringify(valueOf(n % keys.length));
    if (store.textOf(value) !== expected) {
      throw new Error(`${store.name}: expected ${expected}, got ${JSON.stringify(value)}`);
    }
  }
  return tookMs;
}

async function measure(stores: readonly [Store, Store], client: MeridianClient): Promise<void> {
  for (const count of KEYS) {
    const keys = Array.from({ length: count }, (_, n) => `${count}:${n}`);
    for (let start = 0; start < count; start += 1_000) {
      const some = keys.slice(start, start + 1_000);
      for (const store of stores) {
        await store.set(some.map((key, n) => ({ key, value: valueOf(start + n) })));
      }
    }
    const times = new Map(stores.map((store) => [store, [] as number[]]));
    for (let round = -2; round < ROUNDS; round += 1) {
      for (const store of round % 2 === 0 ? stores : stores.toReversed()) {
        const tookMs = await burst(store, keys);
        // The first two rounds warm up.
        if (round >= 0) times.get(store)?.push(tookMs);
      }
    }
    const [ours, theirs] = stores.map((store) => medianOf(times.get(store) ?? []));
    const ratio = (ours ?? NaN) / (theirs ?? NaN);
    console.log(
      `${CALLS} gets of ${count} keys: client ${ours?.toFixed(1)} ms, ioredis ${theirs?.toFixed(1)} ms, ratio ${ratio.toFixed(2)}`,
    );
    const open = client.nodes.filter(({ circuit }) => circuit !== "closed");
    if (open.length > 0) throw new Error(`Expected closed circuits, got ${JSON.stringify(open)}`);
  }
}

function medianOf(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1] ?? NaN;
}

const server = await RedisServer.start();
if (server === undefined) {
  console.error("Expected redis-server to be installed");
  process.exit(1);
}
const { client: redis } = server;
const cluster = new Cluster();
let client: MeridianClient | undefined;
try {
  await cluster.start(FIVE_PLACES.slice(0, 1));
  const [region] = cluster.regions;
  const opened = await connect({ nodes: [region?.url ?? ""], deadlineMs: 30_000 });
  client = opened;
  const ours: Store = {
    name: "client",
    set: (entries) => opened.setMany(entries),
    get: (key) => opened.get(key),
    textOf: (got) => JSON.stringify(got),
  };
  const theirs: Store = {
    name: "ioredis",
    set: (entries) =>
      Promise.all(entries.map(({ key, value }) => redis.set(key, JSON.stringify(value)))),
    get: (key) => redis.get(key),
    textOf: (got) => got,
  };
  await measure([ours, theirs], opened);
} finally {
  client?.close();
  await cluster.dispose();
  await server.stop();
}
