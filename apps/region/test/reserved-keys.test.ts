import { encodeBlock, type Entry } from "@meridian/protocol";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";

import { jsonOf, testNode, type TestNode } from "./harness.ts";
import { SocketClient } from "./socket-client.ts";

const KEYS = ["\0", "\0a", "\0\u{10ffff}", "\u0001", "a"];

const entries = KEYS.map((key, index): Entry => ({
  key,
  value: Uint8Array.of(65),
  contentType: "text/plain",
  stamp: { time: index + 1, origin: 1 },
  expiresAtMs: 0,
  deleted: false,
}));

let region: TestNode;
let port: number;
beforeAll(async () => {
  const block = encodeBlock(entries);
  region = await testNode({ records: [{ kind: "remote", entries, block, highestTime: 5 }] });
  port = await region.serve();
});
afterAll(() => region.close());

async function keysOf(target: string): Promise<unknown[]> {
  const { keys, entries: listed } = await jsonOf(await region.request(target));
  return ((keys ?? listed) as { readonly key: string }[]).map(({ key }) => key);
}

it("keys that begin with U+0000 are in no listing, from wherever it starts", async () => {
  expect(await keysOf("/keys")).toEqual(["\u0001", "a"]);
  expect(await keysOf("/keys?limit=1")).toEqual(["\u0001"]);
  expect(await keysOf("/keys?after=%00")).toEqual(["\u0001", "a"]);
  expect(await keysOf("/keys?after=%00a&limit=2")).toEqual(["\u0001", "a"]);
  expect(await keysOf("/keys?prefix=%00")).toEqual([]);
  expect(await keysOf("/keys?prefix=%00a&after=%00")).toEqual([]);
  expect(await keysOf("/keys?after=%01")).toEqual(["a"]);
});

it("they are in no listing over a WebSocket either, and cannot be read or watched", async () => {
  const client = await SocketClient.open(port);
  onTestFinished(() => client.close());
  for (const values of [false, true]) {
    const listed = await client.result({ type: "entries", values });
    const found = listed["entries"] ?? listed["keys"];
    expect((found as { readonly key: string }[]).map(({ key }) => key)).toEqual(["\u0001", "a"]);
  }
  expect(await client.code({ type: "get", key: "\0a" })).toBe("INVALID_KEY");
  expect(await client.code({ type: "watch", key: "\0a" })).toBe("INVALID_KEY");
  expect((await region.request("/watch?key=%00a")).status).toBe(400);
});

it("they are compared like all others", async () => {
  expect(await keysOf("/entries")).toEqual(KEYS);
  const { count } = await jsonOf(await region.request("/digest"));
  expect(count).toBe(KEYS.length);
});

it("no watch of all keys tells of them", async () => {
  const client = await SocketClient.open(port);
  onTestFinished(() => client.close());
  await client.result({ type: "watch", prefix: "", values: true });
  expect((await region.request("/revocations/one", { method: "PUT" })).status).toBe(200);
  expect((await region.request("/cache/z", { method: "PUT", body: "1" })).status).toBe(200);
  const told = await client.take(({ type }) => type === "changes");
  expect(told["changes"]).toMatchObject([{ key: "z" }]);
  await region.request("/cache/z", { method: "DELETE" });
});
