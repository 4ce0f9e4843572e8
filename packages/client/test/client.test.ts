import { MeridianError } from "@meridian/protocol";
import { seededRandom } from "@meridian/runtime";
import { expect, test } from "vitest";

import { connect, type ConnectOptions, type MeridianClient } from "../src/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { fetchOf, json, World, type FakeNode } from "./world.ts";

interface Scene {
  readonly world: World;
  readonly node: FakeNode;
  readonly clock: FakeClock;
  readonly client: MeridianClient;
}

async function open(options: Partial<ConnectOptions> = {}): Promise<Scene> {
  const world = new World();
  const node = world.addNode("near");
  world.addNode("far");
  const clock = new FakeClock();
  const client = await connect({
    directory: "http://directory.test",
    location: { lat: 45.5, lon: -73.6 },
    fetch: fetchOf(world),
    clock,
    random: seededRandom(1),
    ...options,
  });
  return { world, node, clock, client };
}

const failure = (work: Promise<unknown>): Promise<MeridianError> =>
  work.then(
    () => expect.fail("expected a rejection"),
    (cause: unknown) => {
      expect(cause).toBeInstanceOf(MeridianError);
      return cause as MeridianError;
    },
  );

test("connecting asks the directory once, for the nodes nearest to the location", async () => {
  const { world, client } = await open();
  await client.set("a", 1);
  expect(world.directoryCalls).toHaveLength(1);
  expect(String(world.directoryCalls[0]?.query)).toBe("lat=45.5&lon=-73.6&limit=4");
  expect(client.nodes.map(({ id }) => id)).toEqual(["near", "far"]);
});

test.each<readonly [string, object, (client: MeridianClient) => Promise<unknown>, string]>([
  ["set", { key: "k", etag: 1 }, (client) => client.set("k", 1), "`etag`"],
  ["setMany", { entries: {} }, (client) => client.setMany([{ key: "k", value: 1 }]), "`entries`"],
  [
    "delete",
    { key: "k", etag: "e", expiresAtMs: null },
    (client) => client.delete("k"),
    "`acknowledged`",
  ],
  ["keys", { keys: [{}], next: null }, (client) => client.keys().next(), "`keys.0.key`"],
  ["getMany", { entries: 1 }, (client) => client.getMany(["k"]), "`entries`"],
  [
    "getMany",
    { entries: [{ key: "k", found: true }] },
    (client) => client.getMany(["k"]),
    "a value",
  ],
])("%s refuses the answer %j, and says what is wrong with it", async (_, body, call, said) => {
  const { node, client } = await open();
  node.scripted.push({ status: 200, body: JSON.stringify(body) });
  expect(await failure(call(client))).toMatchObject({
    code: "INTERNAL",
    message: expect.stringContaining(said),
  });
});

test("what was set is read back as it was, and only the nearest node is asked", async () => {
  const { world, client } = await open();
  await client.set("json", { a: [1, null, "ü"] });
  await client.set("bytes", Uint8Array.of(0, 255, 128));
  await client.set("text", "plain", { contentType: "text/plain" });
  expect(await client.get("json")).toEqual({ a: [1, null, "ü"] });
  expect(await client.get("bytes")).toEqual(Uint8Array.of(0, 255, 128));
  expect(await client.get("text")).toBe("plain");
  expect(world.nodes[1]?.calls).toEqual([]);
});

test("a miss is undefined, not an error, in every way of reading", async () => {
  const { client } = await open();
  expect(await client.get("nothing")).toBeUndefined();
  expect(await client.getRaw("nothing")).toBeUndefined();
  expect(await client.has("nothing")).toBe(false);
  expect(await client.getMany(["nothing"])).toEqual(new Map());
});

test("`null` is a value and not a miss", async () => {
  const { client } = await open();
  await client.set("key", null);
  expect(await client.get("key")).toBeNull();
  expect(await client.has("key")).toBe(true);
});

test.each(["a/b", "ü ✓", "a?b#c%2F", "%", "//", "a/../b", "x".repeat(1024)])(
  "the key %j reaches the node unchanged",
  async (key) => {
    const { node, client } = await open();
    await client.set(key, 1);
    expect([...node.data.keys()]).toEqual([key]);
    expect(await client.get(key)).toBe(1);
    await client.delete(key);
    expect(await client.has(key)).toBe(false);
  },
);

test("the raw variant tells the bytes, the content type, the etag and the instant of expiry", async () => {
  const { client } = await open();
  const { etag, expiresAtMs } = await client.set("key", Uint8Array.of(255), { ttl: "15m" });
  expect(await client.getRaw("key")).toEqual({
    value: Uint8Array.of(255),
    contentType: "application/octet-stream",
    etag,
    expiresAtMs,
  });
  expect(expiresAtMs).toBe(1_800_000_000_000 + 900_000);
  expect(etag).toMatch(/^[0-9a-z]+-1$/);
});

test("a TTL is text with a unit, or a number whose name says milliseconds", async () => {
  const { node, client } = await open();
  await client.set("a", 1, { ttlMs: 1_500 });
  await client.set("a", 1, { ttl: "2h" });
  await client.set("a", 1);
  expect(node.calls.map(({ query }) => query.get("ttl"))).toEqual(["1500ms", "7200000ms", null]);
});

test("deleting tells whether there was a value", async () => {
  const { client } = await open();
  await client.set("key", 1);
  expect((await client.delete("key")).deleted).toBe(true);
  expect((await client.delete("key")).deleted).toBe(false);
});

test("conditional writes hold against the node's newest version", async () => {
  const { client } = await open();
  const first = await client.set("key", 1, { ifAbsent: true });
  expect((await failure(client.set("key", 2, { ifAbsent: true }))).code).toBe(
    "PRECONDITION_FAILED",
  );
  const second = await client.set("key", 3, { ifMatch: first.etag });
  const error = await failure(client.set("key", 4, { ifMatch: first.etag }));
  expect(error.code).toBe("PRECONDITION_FAILED");
  expect(error.details).not.toHaveProperty("mayHaveBeenApplied");
  expect(second.etag).not.toBe(first.etag);
  expect(await client.get("key")).toBe(3);
});

test("many keys are read by the thousand and many values are set at once", async () => {
  const { node, client } = await open();
  const entries = Array.from({ length: 1000 }, (_, index) => ({ key: `k${index}`, value: index }));
  const result = await client.setMany([
    ...entries.slice(1),
    { key: "b", value: Uint8Array.of(200) },
  ]);
  expect(result.entries).toHaveLength(1000);
  await client.set("k0", 0);
  const before = node.served;
  const values = await client.getMany([...entries.map(({ key }) => key), "b", "none"]);
  expect(node.served - before).toBe(2);
  expect(values.size).toBe(1001);
  expect(values.get("k0")).toBe(0);
  expect(values.get("k999")).toBe(999);
  expect(values.get("b")).toEqual(Uint8Array.of(200));
});

test("any number of values is set, in commits of a thousand, and an error says how far it came", async () => {
  const { node, client } = await open();
  const entries = Array.from({ length: 2_500 }, (_, index) => ({ key: `k${index}`, value: index }));
  const before = node.served;
  const result = await client.setMany(entries);
  expect(node.served - before).toBe(3);
  expect(result.entries.map(({ key }) => key)).toEqual(entries.map(({ key }) => key));
  expect(await client.get("k2499")).toBe(2499);
  const large = Array.from({ length: 3 }, (_, index) => ({
    key: `l${index}`,
    value: "é".repeat(4e6),
  }));
  const served = node.served;
  await client.setMany(large);
  expect(node.served - served).toBe(2);
  const body = JSON.stringify({ code: "VALUE_TOO_LARGE", detail: "too large" });
  const headers = { "content-type": "application/problem+json" };
  node.scripted.push({ status: 413, headers, body });
  expect((await failure(client.setMany(entries))).details).not.toHaveProperty("written");
  const chunk = json(200, {
    entries: entries.slice(0, 1000).map(({ key }) => ({ key, etag: '"e"', expiresAtMs: null })),
    acknowledged: result.acknowledged,
  });
  node.scripted.push(chunk, { status: 413, headers, body });
  expect((await failure(client.setMany(entries))).details).toMatchObject({ written: 1000 });
});

test("keys are listed over as many pages as it takes", async () => {
  const { node, client } = await open();
  for (const key of ["a1", "b1", "a2", "a3", "a4", "a5"]) await client.set(key, key);
  await client.delete("a4");
  const before = node.served;
  const keys: string[] = [];
  for await (const { key } of client.keys({ prefix: "a", pageSize: 2 })) keys.push(key);
  expect(keys).toEqual(["a1", "a2", "a3", "a5"]);
  expect(node.served - before).toBe(2);
});

test("an acknowledgement that was not reached in time is an error that tells what is known", async () => {
  const { node, client } = await open();
  const acknowledged = { level: "all", reached: false, nodes: ["far"] };
  const body = JSON.stringify({ code: "ACK_TIMEOUT", detail: "not all", acknowledged });
  node.scripted.push({
    status: 504,
    headers: { "content-type": "application/problem+json" },
    body,
  });
  const error = await failure(client.set("key", 1, { ack: "all", timeout: "2s" }));
  expect(error.code).toBe("ACK_TIMEOUT");
  expect(error.details).toMatchObject({ acknowledged });
  expect(String(node.calls[0]?.query)).toBe("ack=all&timeout=2000ms");
});

test("a refusal is thrown with the server's code and is not repeated", async () => {
  const { node, client } = await open();
  const body = JSON.stringify({ code: "VALUE_TOO_LARGE", detail: "too large", bytesMax: 10 });
  node.scripted.push({
    status: 413,
    headers: { "content-type": "application/problem+json" },
    body,
  });
  const error = await failure(client.set("key", "12345678901"));
  expect(error).toMatchObject({ code: "VALUE_TOO_LARGE", message: "too large" });
  expect(error.details).toMatchObject({ bytesMax: 10 });
  expect(node.served).toBe(1);
});

test("a 404 that is not a miss is an error", async () => {
  const { node, client } = await open();
  const body = JSON.stringify({ code: "ROUTE_NOT_FOUND", detail: "nothing at /cache/key" });
  node.scripted.push({
    status: 404,
    headers: { "content-type": "application/problem+json" },
    body,
  });
  expect((await failure(client.get("key"))).code).toBe("ROUTE_NOT_FOUND");
  node.scripted.push({ status: 404 });
  expect((await failure(client.has("key"))).code).toBe("ROUTE_NOT_FOUND");
});

test("a hundred calls at once warn of nothing and leave no timer behind", async () => {
  const { node, clock, client } = await open();
  const warnings: Error[] = [];
  const listen = (warning: Error): void => void warnings.push(warning);
  process.on("warning", listen);
  const { signal } = new AbortController();
  const work = Array.from({ length: 100 }, (_, n) => client.set(`k${n}`, n, { signal }));
  await Promise.all(work);
  await new Promise(setImmediate);
  process.off("warning", listen);
  expect(warnings).toEqual([]);
  expect(node.served).toBe(100);
  client.close();
  expect(clock.timers).toBe(0);
});

test("a call ends when its signal aborts, with the signal's reason", async () => {
  const { node, client } = await open();
  node.mood = "hung";
  const abort = new AbortController();
  const call = client.get("key", { signal: abort.signal });
  await node.received(1);
  const reason = new Error("enough");
  abort.abort(reason);
  await expect(call).rejects.toBe(reason);
  await expect(client.get("key", { signal: abort.signal })).rejects.toBe(reason);
});

test("closing ends the calls under way and refuses later ones", async () => {
  const { node, clock, client } = await open();
  node.mood = "hung";
  const call = failure(client.get("key"));
  await node.received(1);
  client.close();
  client.close();
  expect((await call).code).toBe("CLIENT_CLOSED");
  expect((await failure(client.get("key"))).code).toBe("CLIENT_CLOSED");
  expect(clock.timers).toBe(0);
});

test.each<[string, (client: MeridianClient) => Promise<unknown>, string]>([
  ["an unknown option of get", (c) => c.get("k", { ttl: 1 } as object), "UNKNOWN_OPTION"],
  ["an unknown option of set", (c) => c.set("k", 1, { tttl: 1 } as object), "UNKNOWN_OPTION"],
  ["an unknown option of delete", (c) => c.delete("k", { ttl: 1 } as object), "UNKNOWN_OPTION"],
  ["an unknown option of keys", (c) => c.keys({ limit: 1 } as object).next(), "UNKNOWN_OPTION"],
  [
    "an unknown member of setMany",
    (c) => c.setMany([{ key: "k", value: 1, x: 1 } as never]),
    "UNKNOWN_OPTION",
  ],
  ["an empty key", (c) => c.get(""), "INVALID_KEY"],
  ["a key that is no string", (c) => c.get(5 as never), "INVALID_KEY"],
  ["a key over 1 KiB", (c) => c.set("k".repeat(1025), 1), "INVALID_KEY"],
  ["a reserved key", (c) => c.get("\0a"), "INVALID_KEY"],
  ["a reserved key to set", (c) => c.set("\0", 1), "INVALID_KEY"],
  ["a reserved key to delete", (c) => c.delete("\0a"), "INVALID_KEY"],
  ["a reserved key among many", (c) => c.getMany(["a", "\0a"]), "INVALID_KEY"],
  ["a reserved key in a batch", (c) => c.setMany([{ key: "\0a", value: 1 }]), "INVALID_KEY"],
  ["a lone surrogate", (c) => c.get("\ud800"), "INVALID_KEY"],
  ["a key of two dots, which URLs resolve", (c) => c.delete(".."), "INVALID_KEY"],
  ["a TTL of zero", (c) => c.set("k", 1, { ttlMs: 0 }), "INVALID_TTL"],
  ["a TTL that is not a number", (c) => c.set("k", 1, { ttlMs: NaN }), "INVALID_TTL"],
  ["milliseconds as text", (c) => c.set("k", 1, { ttlMs: "60s" as never }), "INVALID_TTL"],
  // @ts-expect-error a number without a unit does not compile
  ["a TTL as a number without a unit", (c) => c.set("k", 1, { ttl: 60_000 }), "INVALID_TTL"],
  ["a TTL as text without a unit", (c) => c.set("k", 1, { ttl: "60" }), "INVALID_TTL"],
  [
    "such a TTL in a batch",
    // @ts-expect-error nor does it there
    (c) => c.setMany([{ key: "k", value: 1, ttl: 60 }]),
    "INVALID_TTL",
  ],
  ["two TTLs", (c) => c.set("k", 1, { ttl: "1s", ttlMs: 1 }), "INVALID_ARGUMENT"],
  // @ts-expect-error and no timeout does
  ["a timeout without a unit", (c) => c.set("k", 1, { timeout: 5 }), "INVALID_TTL"],
  ["a TTL of an unknown unit", (c) => c.set("k", 1, { ttl: "5y" }), "INVALID_TTL"],
  [
    "an ack level that does not exist",
    (c) => c.set("k", 1, { ack: "most" as never }),
    "INVALID_ARGUMENT",
  ],
  ["an ack level of zero nodes", (c) => c.set("k", 1, { ack: 0 }), "INVALID_ARGUMENT"],
  ["an ack timeout over a minute", (c) => c.set("k", 1, { timeout: "61s" }), "INVALID_ARGUMENT"],
  [
    "a content type with a line break",
    (c) => c.set("k", 1, { contentType: "a\nb" }),
    "INVALID_ARGUMENT",
  ],
  [
    "ifAbsent together with ifMatch",
    (c) => c.set("k", 1, { ifAbsent: true, ifMatch: "v1" }),
    "INVALID_ARGUMENT",
  ],
  ["an etag with a quote", (c) => c.set("k", 1, { ifMatch: '"v1"' }), "INVALID_ARGUMENT"],
  ["a negative deadline", (c) => c.get("k", { deadlineMs: -1 }), "INVALID_ARGUMENT"],
  ["an empty batch", (c) => c.setMany([]), "INVALID_ARGUMENT"],
  ["a page of no keys", (c) => c.keys({ pageSize: 0 }).next(), "INVALID_ARGUMENT"],
])("%s is refused without asking a node", async (_, call, code) => {
  const { node, client } = await open();
  expect((await failure(call(client))).code).toBe(code);
  expect(node.calls).toEqual([]);
});

test.each<[string, object, string]>([
  ["no way to reach the cluster", {}, "INVALID_ARGUMENT"],
  ["a directory without a location", { directory: "http://d.test" }, "INVALID_ARGUMENT"],
  [
    "nodes beside a directory",
    { nodes: ["http://n.test"], directory: "http://d.test" },
    "INVALID_ARGUMENT",
  ],
  [
    "a latitude off the globe",
    { directory: "http://d.test", location: { lat: 91, lon: 0 } },
    "INVALID_COORDINATES",
  ],
  [
    "a location with other members",
    { directory: "http://d.test", location: { lat: 1, lng: 0 } },
    "UNKNOWN_OPTION",
  ],
  [
    "a directory that is no URL",
    { directory: "localhost", location: { lat: 1, lon: 0 } },
    "INVALID_ARGUMENT",
  ],
  [
    "a limit of zero",
    { directory: "http://d.test", location: { lat: 1, lon: 0 }, limit: 0 },
    "INVALID_ARGUMENT",
  ],
  ["an unknown option", { nodes: ["http://n.test"], timeout: 5 }, "UNKNOWN_OPTION"],
  [
    "an unknown consistency",
    { nodes: ["http://n.test"], consistency: "strong" },
    "INVALID_ARGUMENT",
  ],
])("connecting with %s is refused", async (_, options, code) => {
  expect((await failure(connect(options as ConnectOptions))).code).toBe(code);
});

test("a client of fixed nodes needs no directory", async () => {
  const { world, client } = await open({
    directory: undefined,
    location: undefined,
    nodes: ["http://far.test/", "http://near.test"],
  });
  await client.set("key", 1);
  expect(world.nodes[1]?.served).toBe(1);
  expect(world.directoryCalls).toEqual([]);
});
