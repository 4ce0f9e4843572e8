/** Loaders that do not do what they should, in every call that loads. */
import { MeridianError } from "@meridian/protocol";
import { expect, onTestFinished, test } from "vitest";

import type { FillOptions, MeridianClient } from "../src/index.ts";
import { TestCluster } from "../src/testing/index.ts";

type Load = (context: { readonly signal: AbortSignal }) => unknown;
type Call = (client: MeridianClient, load: Load, fill: FillOptions) => Promise<unknown>;

/** The calls that load the key `k`. */
const CALLS: Readonly<Record<string, Call>> = {
  getOrSet: (client, load, fill) => client.getOrSet("k", load as () => number, fill),
  "getOrSet of a namespace": (client, load, fill) =>
    client.namespace("n").getOrSet("k", load as () => number, fill),
  wrap: (client, load, fill) => {
    const signal = new AbortController().signal;
    return client.wrap("f", () => load({ signal }) as number, { ...fill, key: () => "k" })();
  },
  "get with a loader": (client, load, fill) =>
    client.namespace("n", { load: load as () => number, fill }).get("k"),
  "getMany with a loader": async (client, load, fill) =>
    (await client.namespace("n", { load: load as () => number, fill }).getMany(["k"])).get("k"),
};

const never = new Promise<never>(() => {});

const having = (members: Record<string, unknown>): unknown => expect.objectContaining(members);

/** What is wrong with the loader, what it does, and how the call ends. */
const FAULTS: readonly (readonly [string, Load, unknown])[] = [
  ["throws", () => thrown(new Error("odd")), having({ message: "odd" })],
  ["throws no error", () => thrown("odd"), having({ thrown: "odd" })],
  ["rejects", () => Promise.reject(new Error("late")), having({ message: "late" })],
  [
    "rejects with an error of its own cache",
    () => Promise.reject(new MeridianError("STORE_FULL", "own")),
    having({ code: "STORE_FULL" }),
  ],
  ["hangs", () => never, having({ code: "LOAD_TIMEOUT" })],
  ["gives undefined", () => undefined, undefined],
  ["gives undefined later", async () => undefined, undefined],
  ["gives what JSON does not hold", () => new Map(), having({ code: "INVALID_ARGUMENT" })],
  [
    "gives an object that throws",
    () => ({ toJSON: () => thrown(new Error("deep")) }),
    having({ code: "INVALID_ARGUMENT" }),
  ],
];

function thrown(cause: unknown): never {
  throw cause;
}

async function open(): Promise<{ cluster: TestCluster; client: MeridianClient }> {
  const cluster = new TestCluster();
  onTestFinished(() => cluster.close());
  return { cluster, client: await cluster.connect() };
}

test.each(
  Object.keys(CALLS).flatMap((name) =>
    (["process", "region"] as const).flatMap((lock) =>
      FAULTS.map(([fault, load, end]) => ({ name, lock, fault, load, end })),
    ),
  ),
)(
  "$name whose loader $fault ends, stores nothing, and loads anew (lock: $lock)",
  async ({ name, lock, load, end }) => {
    const { cluster, client } = await open();
    const call = CALLS[name] as Call;
    const fill = { lock, hardTimeoutMs: 1_000 } as const;
    const outcome = call(client, load, fill).catch((cause: unknown) =>
      cause instanceof Error ? cause : { thrown: cause },
    );
    await cluster.clock.advance("1s");
    expect(await outcome).toEqual(end);
    const other = await cluster.connect();
    expect(await other.hasMany(["k", "n:k", "f:k"])).toEqual(new Set());
    expect(client.status()).toMatchObject({ calls: 0, loads: 0 });
    // Its lease is not in the way of the next one.
    expect(await call(other, () => 7, fill)).toBe(7);
  },
);

test.each(Object.keys(CALLS))(
  "%s that is loading when the client is closed ends, and its value is not stored",
  async (name) => {
    const { cluster, client } = await open();
    let give: (value: number) => void = () => {};
    const load = (): Promise<number> => new Promise((resolve) => (give = resolve));
    const call = (CALLS[name] as Call)(client, load, {}).catch((cause: unknown) => cause);
    await cluster.clock.advance(0);
    client.close();
    expect(await call).toMatchObject({ code: "CLIENT_CLOSED" });
    give(1);
    await cluster.clock.advance("1s");
    const other = await cluster.connect();
    expect(await other.hasMany(["k", "n:k", "f:k"])).toEqual(new Set());
    expect(client.status()).toMatchObject({ calls: 0, loads: 0, closed: true });
  },
);

test("a loader that outlives the patience of the next one is not stored over its value", async () => {
  const { cluster, client } = await open();
  const other = await cluster.connect();
  let give: (value: string) => void = () => {};
  const slow = (): Promise<string> => new Promise((resolve) => (give = resolve));
  const first = client.getOrSet("k", slow, { lock: "region", hardTimeoutMs: 60_000 });
  await cluster.clock.advance(0);
  const second = other.getOrSet("k", () => "of the second", {
    lock: "region",
    hardTimeoutMs: 1_000,
  });
  await cluster.clock.advance("2s");
  expect(await second).toBe("of the second");
  give("of the first");
  expect(await first).toBe("of the first");
  expect(await client.get("k")).toBe("of the second");
});

test("a loader that outlives its own lease has failed, and the next one loads", async () => {
  const { cluster, client } = await open();
  const other = await cluster.connect();
  let give: (value: string) => void = () => {};
  const slow = (): Promise<string> => new Promise((resolve) => (give = resolve));
  const first = client
    .getOrSet("k", slow, { lock: "region", hardTimeoutMs: 1_000 })
    .catch((cause: unknown) => cause);
  await cluster.clock.advance(0);
  const second = other.getOrSet("k", () => "of the second", {
    lock: "region",
    hardTimeoutMs: 5_000,
  });
  await cluster.clock.advance("1s");
  expect(await first).toMatchObject({ code: "LOAD_TIMEOUT" });
  expect(await second).toBe("of the second");
  give("of the first");
  await cluster.clock.advance(0);
  expect(await client.get("k")).toBe("of the second");
});

test("who waited for a process that died waits for the one that loads after it", async () => {
  const { cluster, client } = await open();
  const [second, third] = [await cluster.connect(), await cluster.connect()];
  const options = { lock: "region", hardTimeoutMs: 1_000 } as const;
  const never = (): Promise<never> => new Promise(() => {});
  const dead = client.getOrSet("k", never, options).catch(() => {});
  await cluster.clock.advance(0);
  let give: (value: string) => void = () => {};
  const slow = (): Promise<string> => new Promise((resolve) => (give = resolve));
  const loading = second.getOrSet("k", slow, options);
  await cluster.clock.advance(1);
  const waiting = third.getOrSet("k", () => "of the third", options);
  await cluster.clock.advance("1s");
  await dead;
  // The third's own `hardTimeoutMs` is over.
  await cluster.clock.advance(500);
  give("of the second");
  expect(await loading).toBe("of the second");
  expect(await waiting).toBe("of the second");
});

test.each<readonly [string, (client: MeridianClient) => Promise<unknown>]>([
  ["set", (c) => c.set("k", 1, { ttl: 60_000 as never })],
  ["setMany", (c) => c.setMany([{ key: "k", value: 1, ttl: 60_000 as never }])],
  ["touch", (c) => c.touch("k", { ttl: 60_000 as never })],
  ["update", (c) => c.update("k", () => 1, { ttl: 60_000 as never })],
  ["getOrSet", (c) => c.getOrSet("k", () => 1, { ttl: 60_000 as never })],
  ["wrap", (c) => c.wrap("f", () => 1, { ttl: 60_000 as never })()],
  ["namespace", async (c) => c.namespace("n", { ttl: 60_000 as never })],
])("%s refuses a numeric `ttl` with the name of the option that takes it", async (_, call) => {
  const { client } = await open();
  const error = await call(client).catch((cause: unknown) => cause);
  expect(error).toMatchObject({ code: "INVALID_TTL" });
  expect((error as Error).message).toContain("`ttlMs: 60_000`");
});
