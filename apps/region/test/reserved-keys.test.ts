import { encodeBlock, type Entry } from "@meridian/protocol";
import { afterAll, beforeAll, expect, it } from "vitest";

import { jsonOf, testNode, type TestNode } from "./harness.ts";

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
beforeAll(async () => {
  const block = encodeBlock(entries);
  region = await testNode({ records: [{ kind: "remote", entries, block, highestTime: 5 }] });
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

it("they are compared like all others", async () => {
  expect(await keysOf("/entries")).toEqual(KEYS);
  const { count } = await jsonOf(await region.request("/digest"));
  expect(count).toBe(KEYS.length);
});
