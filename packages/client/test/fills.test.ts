import { MeridianError } from "@meridian/protocol";
import { seededRandom } from "@meridian/runtime";
import { expect, onTestFinished, test } from "vitest";

import { connect, isMeridianError, type FillOptions, type MeridianClient } from "../src/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { failure } from "./scene.ts";
import { fetchOf, World, type FakeNode } from "./world.ts";

interface Scene {
  readonly world: World;
  readonly node: FakeNode;
  readonly clock: FakeClock;
  readonly client: MeridianClient;
}

async function open(world = new World(), ahead = 0): Promise<Scene> {
  const node = world.nodes[0] ?? world.addNode("near");
  const clock = new FakeClock();
  world.nowMs = () => clock.nowMs() + ahead;
  const client = await connect({
    nodes: ["http://near.test"],
    fetch: fetchOf(world),
    clock,
    random: seededRandom(1),
  });
  onTestFinished(() => client.close());
  return { world, node, clock, client };
}

/** A loader that counts, and gives that count. */
function counter(): (() => Promise<number>) & { count: number } {
  const load = async (): Promise<number> => {
    load.count += 1;
    await Promise.resolve();
    return load.count;
  };
  load.count = 0;
  return load;
}

/** A loader that gives what it is told to. */
function held<T>(): {
  readonly load: (context: { readonly signal: AbortSignal; readonly stale: unknown }) => Promise<T>;
  give: (value: T) => void;
  fail: (cause: Error) => void;
  signal: AbortSignal | undefined;
  stale: unknown;
} {
  let settle: ((value: T) => void) | undefined;
  let refuse: ((cause: Error) => void) | undefined;
  const gate = {
    signal: undefined as AbortSignal | undefined,
    stale: undefined as unknown,
    load: (context: { readonly signal: AbortSignal; readonly stale: unknown }): Promise<T> => {
      gate.signal = context.signal;
      gate.stale = context.stale;
      return new Promise<T>((resolve, reject) => {
        settle = resolve;
        refuse = reject;
      });
    },
    give: (value: T): void => settle?.(value),
    fail: (cause: Error): void => refuse?.(cause),
  };
  return gate;
}

/** Lets what is ready run. */
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
};

test("a thousand callers at once cost one load, and later ones none", async () => {
  const { client } = await open();
  const load = counter();
  const calls = Array.from({ length: 1_000 }, () => client.getOrSet("k", load, { ttl: "60s" }));
  expect(new Set(await Promise.all(calls))).toEqual(new Set([1]));
  expect(await client.getOrSet("k", load, { ttl: "60s" })).toBe(1);
  expect(load.count).toBe(1);
  expect(await client.get("k")).toBe(1);
});

test("a caller whose read ends after another's load has none of its own", async () => {
  const { node, client } = await open();
  const load = counter();
  let release = (): void => {};
  node.holding = new Promise((resolve) => {
    release = resolve;
  });
  const first = client.getOrSet("k", load);
  await node.received(1);
  const late = client.getOrSet("k", load);
  await node.received(2);
  release();
  expect(await Promise.all([first, late])).toEqual([1, 1]);
  expect(load.count).toBe(1);
});

test("each caller may change what it is given", async () => {
  const { client } = await open();
  const load = (): { n: number[] } => ({ n: [1] });
  const [one, two] = await Promise.all([client.getOrSet("k", load), client.getOrSet("k", load)]);
  one.n.push(2);
  expect(two).toEqual({ n: [1] });
});

test("a value is fresh for its ttl from when it was written, whoever wrote it", async () => {
  const { client, clock } = await open();
  const load = counter();
  await client.set("k", 100);
  const options = { ttl: "60s" };
  clock.advance(59_999);
  expect(await client.getOrSet("k", load, options)).toBe(100);
  clock.advance(2);
  expect(await client.getOrSet("k", load, options)).toBe(1);
  expect(await client.getOrSet("k", load)).toBe(1);
});

test("a clock that is wrong by an hour costs no more than one load", async () => {
  for (const ahead of [-3_600_000, 3_600_000]) {
    const { client, clock } = await open(new World(), ahead);
    const load = counter();
    await client.set("other", 1);
    expect(await client.getOrSet("k", load, { ttl: "60s" })).toBe(1);
    clock.advance(59_000);
    expect(await client.getOrSet("k", load, { ttl: "60s" })).toBe(1);
    clock.advance(2_000);
    expect(await client.getOrSet("k", load, { ttl: "60s" })).toBe(2);
  }
});

test("while it is revalidated, a stale value is given at once, and the loader is given it, too", async () => {
  const { client, clock } = await open();
  const options: FillOptions = { ttl: "1s", staleWhileRevalidate: "10s" };
  await client.getOrSet("k", () => "old", options);
  clock.advance(1_000);
  const next = held<string>();
  expect(await client.getOrSet("k", next.load, options)).toBe("old");
  expect(await client.getOrSet("k", next.load, options)).toBe("old");
  expect(next.stale).toBe("old");
  next.give("new");
  await turns();
  expect(await client.getOrSet("k", next.load, options)).toBe("new");
});

test("a fresh value is refreshed early behind the call", async () => {
  const { client, clock } = await open();
  const load = counter();
  const options: FillOptions = { ttl: "10s", earlyRefresh: 0.8 };
  await client.getOrSet("k", load, options);
  clock.advance(7_999);
  await client.getOrSet("k", load, options);
  await turns();
  expect(load.count).toBe(1);
  clock.advance(1);
  expect(await client.getOrSet("k", load, options)).toBe(1);
  await turns();
  expect(await client.getOrSet("k", load, options)).toBe(2);
});

test("a stale value is given where a load fails, for as long as that is allowed", async () => {
  const { client, clock } = await open();
  const options: FillOptions = { ttl: "1s", staleIfError: "1m" };
  await client.getOrSet("k", () => "old", options);
  clock.advance(1_000);
  const broken = (): never => {
    throw new Error("no database");
  };
  expect(await client.getOrSet("k", broken, options)).toBe("old");
  clock.advance(60_000);
  await expect(client.getOrSet("k", broken, options)).rejects.toThrow("no database");
});

test("after the soft timeout a stale value is given, and the load goes on", async () => {
  const { client, clock } = await open();
  const options: FillOptions = { ttl: "1s", staleIfError: "1m", softTimeoutMs: 100 };
  await client.getOrSet("k", () => "old", options);
  clock.advance(1_000);
  const next = held<string>();
  const call = client.getOrSet("k", next.load, options);
  await turns();
  clock.advance(100);
  expect(await call).toBe("old");
  next.give("new");
  await turns();
  expect(await client.get("k")).toBe("new");
});

test("jitter has values go stale at times of their own, and never late", async () => {
  const { client, clock } = await open();
  const keys = Array.from({ length: 40 }, (_, index) => `k${index}`);
  const options: FillOptions = { ttl: "10s", jitter: 0.5, staleIfError: "1s" };
  const load = counter();
  for (const key of keys) await client.getOrSet(key, load, options);
  const counts: number[] = [];
  for (const atMs of [4_900, 7_500, 10_000]) {
    clock.advance(atMs - clock.elapsedMs());
    load.count = 0;
    for (const key of keys) {
      await client
        .getOrSet(
          key,
          () => {
            load.count += 1;
            throw new Error("not now");
          },
          options,
        )
        .catch(() => {});
    }
    counts.push(load.count);
  }
  expect(counts[0]).toBe(0);
  expect(counts[1]).toBeGreaterThan(5);
  expect(counts[1]).toBeLessThan(35);
  expect(counts[2]).toBe(40);
});

test("that there is nothing is remembered for its own time, and read as nothing", async () => {
  const { client, clock } = await open();
  let count = 0;
  const none = (): undefined => {
    count += 1;
    return undefined;
  };
  expect(await client.getOrSet("k", none)).toBeUndefined();
  expect(await client.getOrSet("k", none, { negativeTtl: "5s" })).toBeUndefined();
  expect(await client.getOrSet("k", none, { negativeTtl: "5s" })).toBeUndefined();
  expect(count).toBe(2);
  expect(await client.get("k")).toBeUndefined();
  expect(await client.getMany(["k"])).toEqual(new Map());
  clock.advance(5_000);
  await client.getOrSet("k", none, { negativeTtl: "5s" });
  expect(count).toBe(3);
});

test("a value that is no more is taken away", async () => {
  const { client, clock } = await open();
  const options: FillOptions = { ttl: "1s", staleIfError: "1m" };
  await client.getOrSet("k", () => 1, options);
  clock.advance(1_000);
  expect(await client.getOrSet<number | undefined>("k", () => undefined, options)).toBeUndefined();
  expect(await client.has("k")).toBe(false);
});

test("what was set while a load ran is not replaced by what it gives", async () => {
  const { client } = await open();
  const slow = held<string>();
  const call = client.getOrSet("k", slow.load);
  await turns();
  await client.set("k", "newer");
  slow.give("older");
  expect(await call).toBe("older");
  expect(await client.get("k")).toBe("newer");
});

test("a load that takes longer than the hard timeout is given up, and the next call loads anew", async () => {
  const { client, clock } = await open();
  const stuck = held<string>();
  const call = failure(client.getOrSet("k", stuck.load, { hardTimeoutMs: 500 }));
  await turns();
  clock.advance(500);
  expect((await call).code).toBe("LOAD_TIMEOUT");
  expect(stuck.signal?.aborted).toBe(true);
  stuck.give("too late");
  await turns();
  expect(await client.get("k")).toBeUndefined();
  expect(await client.getOrSet("k", () => "again")).toBe("again");
});

test("a caller that leaves leaves the others; the last ends the load, and the next begins another", async () => {
  const { client } = await open();
  const slow = held<string>();
  const [first, second] = [new AbortController(), new AbortController()];
  const one = client.getOrSet("k", slow.load, { signal: first.signal });
  const two = client.getOrSet("k", slow.load, { signal: second.signal });
  await turns();
  first.abort(new Error("first"));
  await expect(one).rejects.toThrow("first");
  expect(slow.signal?.aborted).toBe(false);
  second.abort(new Error("second"));
  const three = client.getOrSet("k", () => "own");
  await expect(two).rejects.toThrow("second");
  expect(slow.signal?.aborted).toBe(true);
  expect(await three).toBe("own");
});

test("closing ends loads and calls, and leaves no timer", async () => {
  const { client, clock } = await open();
  const slow = held<string>();
  const call = failure(client.getOrSet("k", slow.load));
  await turns();
  client.close();
  expect((await call).code).toBe("CLIENT_CLOSED");
  expect(isMeridianError(slow.signal?.reason, "CLIENT_CLOSED")).toBe(true);
  expect(clock.timers).toBe(0);
  expect((await failure(client.getOrSet("k", slow.load))).code).toBe("CLIENT_CLOSED");
});

test("nodes that do not answer cost a load, and are no error", async () => {
  const { node, client } = await open();
  node.mood = "syncing";
  expect(await client.getOrSet("k", () => 1, { deadlineMs: 1 })).toBe(1);
  node.mood = "ready";
  expect(await client.has("k")).toBe(false);
});

test("stored bytes that are no such value stay, and the error names the key", async () => {
  const { client } = await open();
  const bytes = new TextEncoder().encode("{");
  await client.set("k", bytes, { contentType: "application/json" });
  const error = await failure(client.getOrSet("k", () => 1));
  expect([error.code, error.message]).toEqual(["INVALID_BODY", expect.stringContaining("`k`")]);
  expect((await client.getRaw("k"))?.value).toEqual(bytes);
});

test.each<[string, (client: MeridianClient) => Promise<unknown>, string]>([
  ["no loader", (c) => c.getOrSet("k", undefined as never), "INVALID_ARGUMENT"],
  // @ts-expect-error a number without a unit does not compile
  ["a ttl without a unit", (c) => c.getOrSet("k", () => 1, { ttl: 60 }), "INVALID_TTL"],
  [
    "a stale time without a unit",
    (c) => c.getOrSet("k", () => 1, { ttl: "1s", staleIfError: "60" }),
    "INVALID_TTL",
  ],
  [
    "two stale times",
    (c) => c.getOrSet("k", () => 1, { ttl: "1s", staleIfError: "1s", staleIfErrorMs: 1 }),
    "INVALID_ARGUMENT",
  ],
  [
    "a stale time without a ttl",
    (c) => c.getOrSet("k", () => 1, { staleIfError: "1s" }),
    "INVALID_ARGUMENT",
  ],
  ["a jitter of two", (c) => c.getOrSet("k", () => 1, { jitter: 2 }), "INVALID_ARGUMENT"],
  [
    "a negative early refresh",
    (c) => c.getOrSet("k", () => 1, { earlyRefresh: -1 }),
    "INVALID_ARGUMENT",
  ],
  [
    "a soft timeout of zero",
    (c) => c.getOrSet("k", () => 1, { softTimeoutMs: 0 }),
    "INVALID_ARGUMENT",
  ],
  [
    "a hard timeout of a day",
    (c) => c.getOrSet("k", () => 1, { hardTimeoutMs: 9e7 }),
    "INVALID_ARGUMENT",
  ],
  [
    "an unknown option",
    (c) => c.getOrSet("k", () => 1, { grace: "1s" } as object),
    "UNKNOWN_OPTION",
  ],
  ["a reserved key", (c) => c.getOrSet("\0", () => 1), "INVALID_KEY"],
])("%s is refused without asking anybody", async (_, call, code) => {
  const { node, client } = await open();
  expect((await failure(call(client))).code).toBe(code);
  expect(node.calls).toEqual([]);
});

test.each<[string, () => unknown, string]>([
  ["a Map", () => new Map(), "INVALID_ARGUMENT"],
  ["a rejection", () => Promise.reject(new MeridianError("STORE_FULL", "mine")), "STORE_FULL"],
])(
  "a loader that gives %s is an error of the call, and nothing is stored",
  async (_, load, code) => {
    const { client } = await open();
    const error = await failure(client.getOrSet("k", load));
    expect(error.code).toBe(code);
    expect(await client.has("k")).toBe(false);
  },
);

test("errors are told by their code, also those of another copy of the package", () => {
  const foreign = Object.assign(new Error("x"), { name: "MeridianError", code: "INVALID_KEY" });
  expect(isMeridianError(foreign, "INVALID_KEY")).toBe(true);
  expect(isMeridianError(foreign, "INVALID_TTL")).toBe(false);
  expect(isMeridianError(new MeridianError("INVALID_TTL", "x"))).toBe(true);
  for (const other of [undefined, "INVALID_KEY", { code: "INVALID_KEY" }, new Error("x")]) {
    expect(isMeridianError(other)).toBe(false);
  }
});
