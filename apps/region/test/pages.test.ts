import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { headerOf, jsonOf, testNode, type TestNode } from "./harness.ts";

let region: TestNode;
let stamps: Record<string, string>;

const ask = async (target: string): Promise<Record<string, unknown>> =>
  jsonOf(await region.request(target));

const stampOf = (answer: Response): string => headerOf(answer, "etag").slice(1, -1);

beforeAll(async () => {
  region = await testNode();
  stamps = {};
  for (const [key, ttl] of [
    ["a", ""],
    ["b é/1", ""],
    ["c", "?ttl=5"],
    ["d", ""],
  ] as const) {
    const target = `/cache/${encodeURIComponent(key)}${ttl}`;
    stamps[key] = stampOf(await region.request(target, { method: "PUT", body: "four" }));
  }
  stamps["d"] = stampOf(await region.request("/cache/d", { method: "DELETE" }));
  region.clock.advance(5_000);
});
afterAll(() => region.close());

describe("/entries", () => {
  it("lists what is live, what has expired and what was deleted, each with its stamp", async () => {
    const answer = await region.request("/entries");
    expect(headerOf(answer, "cache-control")).toBe("no-store");
    const { entries, next, sequence } = await jsonOf(answer);
    const told = (entries as Record<string, unknown>[]).map(({ key, state, stamp, bytes }) => ({
      [String(key)]: [state, stamp, bytes],
    }));
    expect(Object.assign({}, ...told)).toEqual({
      a: ["live", stamps["a"], 4],
      "b é/1": ["live", stamps["b é/1"], 4],
      c: ["expired", stamps["c"], 4],
      d: ["deleted", stamps["d"], 0],
    });
    expect([next, sequence]).toEqual([null, 0]);
  });

  it("goes on after a key, and no further than another", async () => {
    const keys = async (query: string): Promise<unknown[]> => {
      const { entries, next } = await ask(`/entries?${query}`);
      return [...(entries as { readonly key: string }[]).map(({ key }) => key), next];
    };
    expect(await keys("limit=2")).toEqual(["a", "b é/1", "b é/1"]);
    expect(await keys("after=b+%C3%A9%2F1&limit=2")).toEqual(["c", "d", "d"]);
    expect(await keys("after=a&through=c")).toEqual(["b é/1", "c", null]);
    expect(await keys("through=b&limit=2")).toEqual(["a", null]);
    expect(await keys("through=c&limit=3")).toEqual(["a", "b é/1", "c", null]);
  });

  it("refuses more at once than is bounded, and what it does not know", async () => {
    expect(await ask("/entries?limit=1001")).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await ask("/entries?limit=0")).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await ask("/entries?prefix=a")).toMatchObject({ code: "UNKNOWN_OPTION" });
  });
});

describe("/digest of a part", () => {
  it("adds up to the digest of everything", async () => {
    const whole = await ask("/digest");
    expect(await ask("/digest?limit=10")).toEqual({ ...whole, horizon: 0, next: null });
    const first = await ask("/digest?limit=3");
    expect(first).toMatchObject({ count: 3, next: "c" });
    const rest = await ask("/digest?after=c");
    expect(rest).toMatchObject({ count: 1, next: null });
    const sum = [0, 8].map((at) => {
      const [x = 0, y = 0] = [first, rest].map(({ fingerprint }) =>
        parseInt(String(fingerprint).slice(at, at + 8), 16),
      );
      return ((x + y) % 2 ** 32).toString(16).padStart(8, "0");
    });
    expect(sum.join("")).toBe(whole["fingerprint"]);
  });

  it("is refused for more entries than is bounded", async () => {
    expect(await ask("/digest?limit=65537")).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await ask("/digest?prefix=a")).toMatchObject({ code: "UNKNOWN_OPTION" });
  });
});
