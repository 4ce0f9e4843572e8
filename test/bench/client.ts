/**
 * Gets and sets of one program: the client at a region over HTTP and over a WebSocket, beside ioredis at redis-server, if that is installed (`apt
 * install redis-server`). Both servers are processes on this machine.
 *
 * `1` and `100` are callers that each wait for an answer before they ask again; `100 at once` is one caller that asks a hundred times in one turn and waits for
 * all answers. Every answer is compared with what was set before anything is timed. The rounds are interleaved, and who is first alternates. Figures are
 * medians of the rounds; ratios are to HTTP.
 *
 * Usage: npm run bench:client [rounds]
 */
import { connect, type MeridianClient } from "@meridian/client";
import { Cluster, FIVE_PLACES } from "@meridian/harness";

import { RedisServer } from "./redis-server.ts";

const ROUNDS = Number(process.argv[2] ?? 7);
const KEYS = 1_000;
const ROUND_MS = 400;

const valueOf = (n: number): object => ({ id: n, name: `user number ${n}`, tags: ["a", "b"] });
const keyOf = (n: number): string => `user:${n}`;

/** A store that is measured: values go in and come out as objects. */
interface Store {
  readonly name: string;
  readonly get: (key: string) => Promise<unknown>;
  readonly set: (key: string, value: object) => Promise<unknown>;
}

interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

type Work = (store: Store, n: number) => Promise<unknown>;

/** Callers that ask one thing after the other, for so long. */
async function callers(store: Store, count: number, work: Work): Promise<Figures> {
  const times: number[] = [];
  let next = 0;
  const startMs = performance.now();
  await Promise.all(
    Array.from({ length: count }, async () => {
      while (performance.now() - startMs < ROUND_MS) {
        const begunMs = performance.now();
        await work(store, (next += 1) % KEYS);
        times.push(performance.now() - begunMs);
      }
    }),
  );
  const tookMs = performance.now() - startMs;
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? NaN;
  return { perSecond: (times.length / tookMs) * 1_000, p50Ms: at(0.5), p99Ms: at(0.99) };
}

const get: Work = (store, n) => store.get(keyOf(n));
const set: Work = (store, n) => store.set(keyOf(n), valueOf(n));
const AT_ONCE = 100;
const getMany: Work = (store, n) =>
  Promise.all(Array.from({ length: AT_ONCE }, (_, index) => get(store, (n + index) % KEYS)));

/** What is measured: how many callers there are, what each does, and how many answers that brings. */
const LOADS: readonly (readonly [name: string, count: number, work: Work, answers: number])[] = [
  ["get, 1 caller", 1, get, 1],
  ["get, 100 callers", 100, get, 1],
  ["get, 100 at once", 1, getMany, AT_ONCE],
  ["set, 1 caller", 1, set, 1],
  ["set, 100 callers", 100, set, 1],
];

async function check(store: Store): Promise<void> {
  for (let n = 0; n < KEYS; n += 1) await set(store, n);
  for (let n = 0; n < KEYS; n += 1) {
    const [got, expected] = [JSON.stringify(await get(store, n)), JSON.stringify(valueOf(n))];
    if (got !== expected) throw new Error(`${store.name}: expected ${expected}, got ${got}`);
  }
}

const medianOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

async function measure(stores: readonly Store[]): Promise<void> {
  for (const store of stores) await check(store);
  for (const [name, count, work, answers] of LOADS) {
    const rounds = new Map(stores.map((store) => [store, [] as Figures[]]));
    for (let round = 0; round < ROUNDS; round += 1) {
      const order = round % 2 === 0 ? stores : stores.toReversed();
      for (const store of order) rounds.get(store)?.push(await callers(store, count, work));
    }
    const medians = stores.map((store) => {
      const all = rounds.get(store) ?? [];
      const of = (member: keyof Figures): number => medianOf(all.map((each) => each[member]));
      return { store, perSecond: of("perSecond") * answers, p50: of("p50Ms"), p99: of("p99Ms") };
    });
    const [http] = medians;
    console.log(name);
    for (const { store, perSecond, p50, p99 } of medians) {
      const ratios = [perSecond / (http?.perSecond ?? NaN), p50 / (http?.p50 ?? NaN)];
      const [rate = "", time = ""] = ratios.map((ratio) => ratio.toFixed(2));
      console.log(
        `  ${store.name.padEnd(10)} ${Math.round(perSecond).toString().padStart(7)}/s (${rate})  p50 ${p50.toFixed(3)} ms (${time})  p99 ${p99.toFixed(3)} ms`,
      );
    }
  }
}

function storeOf(name: string, client: MeridianClient): Store {
  return { name, get: (key) => client.get(key), set: (key, value) => client.set(key, value) };
}

function redisStore({ client }: RedisServer): Store {
  return {
    name: "ioredis",
    get: async (key) => JSON.parse((await client.get(key)) ?? "null") as unknown,
    set: (key, value) => client.set(key, JSON.stringify(value)),
  };
}

const cluster = new Cluster();
const clients: MeridianClient[] = [];
const redis = await RedisServer.start();
if (redis === undefined) console.log("redis-server is not installed: ioredis is left out");
try {
  await cluster.start(FIVE_PLACES.slice(0, 1));
  const nodes = [cluster.regions[0]?.url ?? ""];
  for (const transport of ["http", "websocket"] as const) {
    clients.push(await connect({ nodes, transport, deadlineMs: 30_000 }));
  }
  const ours = clients.map((client, index) => storeOf(index === 0 ? "HTTP" : "WebSocket", client));
  await measure([...ours, ...(redis === undefined ? [] : [redisStore(redis)])]);
  if (clients[1]?.status().nodes[0]?.transport !== "websocket") {
    throw new Error("Expected the WebSocket to be open to the end, got none");
  }
} finally {
  for (const client of clients) client.close();
  await cluster.dispose();
  await redis?.stop();
}
