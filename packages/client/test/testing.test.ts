import { expect, onTestFinished, test } from "vitest";

import { richJson, type MeridianClient } from "../src/index.ts";
import { TestCluster } from "../src/testing/index.ts";
import { failure } from "./scene.ts";

async function open(
  nodes = 1,
): Promise<{ readonly cluster: TestCluster; readonly cache: MeridianClient }> {
  const cluster = new TestCluster({ nodes });
  onTestFinished(() => cluster.close());
  return { cluster, cache: await cluster.connect() };
}

test("every method of the client works as at a region", async () => {
  const { cluster, cache } = await open();
  const { etag, expiresAtMs } = await cache.set("a", { n: 1 }, { ttl: "60s", ack: "all" });
  expect(expiresAtMs).toBe(cluster.clock.nowMs() + 60_000);
  await cache.setMany([
    { key: "b", value: Uint8Array.of(255) },
    { key: "c", value: "text", contentType: "text/plain", ttlMs: 1_000 },
  ]);
  expect(await cache.getMany(["a", "b", "c", "d"])).toEqual(
    new Map<string, unknown>([
      ["a", { n: 1 }],
      ["b", Uint8Array.of(255)],
      ["c", "text"],
    ]),
  );
  expect((await cache.getRaw("a"))?.etag).toBe(etag);
  expect((await failure(cache.set("a", 2, { ifAbsent: true }))).code).toBe("PRECONDITION_FAILED");
  await cache.set("a", 2, { ifMatch: etag });
  expect((await failure(cache.delete("a", { ifMatch: etag }))).code).toBe("PRECONDITION_FAILED");
  expect([await cache.has("a"), await cache.hasMany(["a", "d"])]).toEqual([true, new Set(["a"])]);
  expect([await cache.ttl("a"), await cache.ttl("c"), await cache.ttl("d")]).toEqual([
    Infinity,
    1_000,
    undefined,
  ]);
  expect(await cache.expireAt("a", cluster.clock.nowMs() + 5_000)).toBe(true);
  expect(await cache.touch("none", { ttl: "1s" })).toBe(false);
  const entries: unknown[] = [];
  for await (const { key, value } of cache.entries({ pageSize: 2 })) entries.push([key, value]);
  expect(entries).toEqual([
    ["a", 2],
    ["b", Uint8Array.of(255)],
    ["c", "text"],
  ]);
  const raw: unknown[] = [];
  for await (const { key, value, contentType } of cache.rawEntries({ pageSize: 2, after: "a" })) {
    raw.push([key, new TextDecoder("latin1").decode(value), contentType]);
  }
  expect(raw).toEqual([
    ["b", "\u00ff", "application/octet-stream"],
    ["c", "text", "text/plain"],
  ]);
  expect(await cache.update("a", (value) => Number(value) + 1)).toBe(3);
  expect([await cache.pull("a"), await cache.pull("a")]).toEqual([3, undefined]);
  expect((await cache.delete("b")).deleted).toBe(true);
  expect((await cache.deleteMany(["b", "c"])).deleted).toEqual(["c"]);
});

test("an update that is overtaken again and again says so, before an attempt that would not end in time", async () => {
  const { cluster, cache } = await open();
  const other = await cluster.connect();
  await cache.set("k", 0);
  let tries = 0;
  const change = async (value: unknown): Promise<number> => {
    tries += 1;
    await other.set("k", Number(value) + 1);
    await cluster.clock.advance(90);
    return -1;
  };
  const overtaken = failure(cache.update("k", change, { deadlineMs: 300 }));
  while (tries < 2) await cluster.clock.advance(1);
  await cluster.clock.advance("1s");
  expect((await overtaken).code).toBe("PRECONDITION_FAILED");
  // The third attempt would have ended after 270 ms and two pauses, of which each takes at least 2 ms; a fourth after more than 300.
  expect(tries).toBeLessThan(4);
  expect(await cache.get("k")).toBe(tries);
});

test("an update whose new value comes after the deadline writes nothing, and one that changes nothing has its value", async () => {
  const { cluster, cache } = await open();
  await cache.set("k", 0);
  const late = async (): Promise<number> => {
    await cluster.clock.advance(300);
    return 1;
  };
  expect((await failure(cache.update("k", late, { deadlineMs: 300 }))).code).toBe(
    "DEADLINE_PASSED",
  );
  expect(await cache.get("k")).toBe(0);
  const unchanged = async (): Promise<undefined> => void (await late());
  expect(await cache.update("k", unchanged, { deadlineMs: 300 })).toBe(0);
});

test("time passes when it is told to, and what is due happens in its order", async () => {
  const { cluster, cache } = await open();
  await cache.set("k", 1, { ttl: "60s" });
  await cluster.clock.advance("59s");
  expect(await cache.get("k")).toBe(1);
  await cluster.clock.advance(1_000);
  expect(await cache.get("k")).toBeUndefined();
  await expect(cluster.clock.advance("soon")).rejects.toMatchObject({ code: "INVALID_TTL" });
  await expect(cluster.clock.advance(-1)).rejects.toMatchObject({ code: "INVALID_TTL" });
});

test("clients are processes of their own, of which one at a time fills a key", async () => {
  const { cluster, cache } = await open();
  const other = await cluster.connect();
  let loads = 0;
  const load = async (): Promise<number> => {
    await Promise.resolve();
    return (loads += 1);
  };
  const options = { lock: "region" } as const;
  expect(
    await Promise.all([cache.getOrSet("k", load, options), other.getOrSet("k", load, options)]),
  ).toEqual([1, 1]);
  const stuck = failure(cache.getOrSet("l", () => new Promise<number>(() => {}), options));
  await cluster.clock.advance(1);
  const next = other.getOrSet("l", load, options);
  cache.close();
  expect((await stuck).code).toBe("CLIENT_CLOSED");
  await cluster.clock.advance("20s");
  expect(await next).toBe(2);
});

test("a loader that outlives its lease is given up, another process loads, and what comes late is not stored", async () => {
  const { cluster, cache } = await open();
  const other = await cluster.connect();
  const options = { lock: "region", hardTimeoutMs: 2_000 } as const;
  let give = (_value: string): void => {};
  const slow = failure(
    cache.getOrSet("k", () => new Promise<string>((resolve) => (give = resolve)), options),
  );
  await cluster.clock.advance(1);
  const next = other.getOrSet("k", () => "second", options);
  await cluster.clock.advance("3s");
  expect((await slow).code).toBe("LOAD_TIMEOUT");
  expect(await next).toBe("second");
  give("first");
  await cluster.clock.advance("1s");
  expect(await cache.get("k")).toBe("second");
});

test.each(["refused", "draining", "syncing"] as const)(
  "a node that is %s is left for the next at once",
  async (mood) => {
    const { cluster, cache } = await open(2);
    const [first, second] = cluster.nodes;
    if (first !== undefined) first.mood = mood;
    await cache.set("k", 1);
    expect(second?.requests).toBe(1);
  },
);

test("a node that is silent is left after a while, and one whose answers are lost has done what it was asked", async () => {
  const { cluster, cache } = await open(2);
  const [first] = cluster.nodes;
  if (first === undefined) throw new Error("Expected a node");
  for (const [mood, code] of [
    ["silent", "OUTCOME_UNKNOWN"],
    ["answers-lost", "OUTCOME_UNKNOWN"],
  ] as const) {
    first.mood = mood;
    const write = failure(cache.set(mood, 1, { ifAbsent: true }));
    await cluster.clock.advance("2s");
    expect((await write).code).toBe(code);
    first.mood = "ready";
    await cluster.clock.advance("20s");
    expect(await cache.has(mood)).toBe(mood === "answers-lost");
  }
});

test("errors come as often as they are asked for", async () => {
  const { cluster, cache } = await open();
  cluster.nodes[0]?.failNext("VALUE_TOO_LARGE", 2);
  expect((await failure(cache.set("k", 1))).code).toBe("VALUE_TOO_LARGE");
  expect((await failure(cache.set("k", 1))).code).toBe("VALUE_TOO_LARGE");
  await cache.set("k", 1);
  expect(() => new TestCluster({ count: 1 } as object)).toThrow(/`count`/);
});

test("a near cache keeps what nobody has changed, and returns nothing from a node that says nothing", async () => {
  const { cluster, cache: other } = await open(2);
  const { clock } = cluster;
  const [first, second] = cluster.nodes;
  if (first === undefined || second === undefined) throw new Error("Expected two nodes");
  const cache = await cluster.connect({ near: { maxEntries: 10 } });
  const users = cache.namespace("users", { codec: richJson(), ttl: "60s" });
  const hits = (): number => cache.status().near?.hits ?? 0;
  await clock.advance(1);
  await other.set("k", 1);
  await users.set("7", new Map([["name", "Ada"]]));
  await clock.advance(1);
  for (const count of [0, 1, 2]) {
    expect(await cache.get("k")).toBe(1);
    expect(await users.get("7")).toEqual(new Map([["name", "Ada"]]));
    expect(hits()).toBe(2 * count);
  }
  await other.set("k", 2);
  await clock.advance(1);
  expect([await cache.get("k"), await cache.get("k")]).toEqual([2, 2]);
  await other.namespace("users").delete("7");
  await clock.advance(1);
  expect(await users.get("7")).toBeUndefined();
  await users.set("8", 8);
  expect([await users.get("8"), await users.get("8")]).toEqual([8, 8]);
  await clock.advance("60s");
  expect(await users.get("8")).toBeUndefined();
  expect(cache.status().near?.live).toBe(true);
  first.mood = "silent";
  const write = other.set("k", 3);
  await clock.advance("3s");
  await write;
  expect(cache.status().near?.live).toBe(false);
  const read = cache.get("k");
  await clock.advance("3s");
  expect([await read, cache.status().node]).toEqual([3, "node-2"]);
  await clock.advance("2s");
  expect([await cache.get("k"), await cache.get("k"), cache.status().near?.live]).toEqual([
    3,
    3,
    true,
  ]);
});

test("a watch tells what is set, deleted and expires, and of another node, to reload", async () => {
  const { cluster, cache } = await open(2);
  const events = cache.watch({ prefix: "a:", values: true });
  const next = async (): Promise<unknown> => {
    const event = events.next();
    await cluster.clock.advance(200);
    return (await event).value;
  };
  const first = next();
  await cluster.clock.advance(1);
  await cache.set("b:1", 1);
  await cache.set("a:1", { n: 1 }, { ttl: "1s" });
  expect(await first).toMatchObject({ event: "set", key: "a:1", value: { n: 1 } });
  await cache.delete("a:2");
  expect(await next()).toMatchObject({ event: "delete", key: "a:2" });
  await cluster.clock.advance("1s");
  expect(await next()).toMatchObject({ event: "expire", key: "a:1" });
  const [node] = cluster.nodes;
  if (node !== undefined) node.mood = "refused";
  expect(await next()).toEqual({ event: "reload" });
  await cache.set("a:3", "x");
  expect(await next()).toMatchObject({ event: "set", key: "a:3", value: "x" });
  await events.return(undefined);
});

test("a namespace without `near` keeps nothing in the process, also of what was kept before", async () => {
  const { cluster } = await open();
  const cache = await cluster.connect({ near: { maxEntries: 10 } });
  await cluster.clock.advance(1);
  await cache.set("secrets:1", 1);
  await cache.set("open:1", 1);
  await cluster.clock.advance(1);
  const read = async (): Promise<unknown> => {
    for (let time = 0; time < 2; time += 1) {
      for (const key of ["secrets:1", "open:1"]) expect(await cache.get(key)).toBe(1);
    }
    const { entries, hits, misses } = cache.status().near ?? {};
    return [entries, hits, misses];
  };
  expect(await read()).toEqual([2, 2, 2]);
  const secrets = cache.namespace("secrets", { near: false });
  expect(await read()).toEqual([1, 4, 2]);
  expect(await secrets.get("1")).toBe(1);
  expect(cache.status().near?.entries).toBe(1);
  // @ts-expect-error A namespace cannot have a near cache of its own.
  expect(() => cache.namespace("others", { near: true })).toThrow("`near`");
});
