import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { jsonOf, testNode, type TestNode } from "./harness.ts";

let region: TestNode;
beforeAll(async () => {
  region = await testNode();
});
afterAll(() => region.close());

interface Case {
  readonly method?: string;
  readonly target: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly code: string;
  readonly status: number;
  /** What the sentence says of what came. */
  readonly says?: string;
}

const invalid = { code: "INVALID_ARGUMENT", status: 400 };
const invalidBody = { code: "INVALID_BODY", status: 400 };
const invalidKey = { code: "INVALID_KEY", status: 400 };
const invalidTtl = { code: "INVALID_TTL", status: 400 };
const unknownOption = { code: "UNKNOWN_OPTION", status: 400 };
const put = { method: "PUT", body: "x" };
const post = { method: "POST" };
const setBody = (entry: unknown): string => JSON.stringify({ entries: [entry] });
const batchSet = { method: "POST", target: "/batch/set" };
const batchGet = { method: "POST", target: "/batch/get" };

const cases: readonly Case[] = [
  // Keys
  { target: "/cache/", ...invalidKey, says: "empty" },
  { target: "/cache/%zz", ...invalidKey, says: "%zz" },
  { target: "/cache/%ff", ...invalidKey, says: "%ff" },
  { target: `/cache/${"k".repeat(1025)}`, ...invalidKey, says: "1025" },
  { target: `/cache/${"%C3%A9".repeat(513)}`, ...invalidKey, says: "1026" },
  { ...put, target: "/cache/", ...invalidKey },
  { ...put, target: "/cache/%E0%80", ...invalidKey },
  { method: "DELETE", target: "/cache/%", ...invalidKey },
  { target: "/cache", ...invalidKey, says: "`key`" },
  { target: "/cache?key=", ...invalidKey },
  { target: "/cache?key=%ff", ...invalid, says: "%ff" },
  // Reserved keys, at every door
  { target: "/cache/%00a", ...invalidKey, says: "U+0000" },
  { ...put, target: "/cache/%00", ...invalidKey, says: "U+0000" },
  { method: "DELETE", target: "/cache/%00a", ...invalidKey, says: "U+0000" },
  { target: "/cache?key=%00a", ...invalidKey, says: "U+0000" },
  { ...post, target: "/cache?key=%00a&value=b", ...invalidKey, says: "U+0000" },
  { ...batchGet, body: '{"keys":["a","\\u0000a"]}', ...invalidKey, says: "U+0000" },
  { ...batchSet, body: setBody({ key: "\0a", value: "x" }), ...invalidKey, says: "U+0000" },
  // Options
  { target: "/cache/a?tll=5", ...unknownOption, says: "`tll`" },
  { target: "/cache/a?ttl=5", ...unknownOption, says: "`stale`" },
  { target: "/cache/a?stale=yes", ...invalid, says: "`yes`" },
  { target: "/cache/a?stale=true&stale=true", ...invalid, says: "again" },
  { ...put, target: "/cache/a?ttl=1&ttl=2", ...invalid, says: "`ttl`" },
  { ...put, target: "/cache/a?minutes=1", ...unknownOption },
  { ...put, target: "/cache/a?ttl=0", ...invalidTtl, says: "`0`" },
  { ...put, target: "/cache/a?ttl=-1", ...invalidTtl },
  { ...put, target: "/cache/a?ttl=", ...invalidTtl },
  { ...put, target: "/cache/a?ttl=1w", ...invalidTtl },
  { ...put, target: "/cache/a?ttl=101000000h", ...invalidTtl },
  { ...put, target: "/cache/a?ttl=Infinity", ...invalidTtl },
  { ...put, target: "/cache/a?ack=0", ...invalid, says: "`ack`" },
  { ...put, target: "/cache/a?ack=-1", ...invalid },
  { ...put, target: "/cache/a?ack=1.5", ...invalid },
  { ...put, target: "/cache/a?ack=most", ...invalid },
  { ...put, target: "/cache/a?timeout=61s", ...invalid, says: "`timeout`" },
  { ...put, target: "/cache/a?timeout=soon", ...invalid },
  { method: "DELETE", target: "/cache/a?ttl=5", ...unknownOption },
  { method: "DELETE", target: "/cache/a?ack=none", ...invalid },
  { ...post, target: "/cache?key=a", ...invalid, says: "`value`" },
  {
    ...post,
    target: "/cache?key=a&value=b",
    headers: { "content-length": "1" },
    body: "c",
    ...invalid,
    says: "got both",
  },
  { ...post, target: "/cache?key=a&value=b&due=1", ...invalidTtl, says: "due=1" },
  { ...post, target: "/cache?key=a&value=b&due=2030-01-31T12:00", ...invalidTtl, says: "`due`" },
  { ...post, target: "/cache?key=a&value=b&due=soon", ...invalidTtl, says: "soon" },
  { ...post, target: "/cache?key=a&value=b&due=never&ttl=1", ...invalid, says: "several" },
  { ...post, target: "/cache?value=a", ...invalidKey },
  { ...post, target: "/cache?key=a&value=b&ttl=1&minutes=1", ...invalid, says: "both" },
  { ...post, target: "/cache?key=a&value=b&minutes=0", ...invalidTtl },
  { ...post, target: "/cache?key=a&value=b&minutes=soon", ...invalidTtl, says: "soon minutes" },
  { ...post, target: "/cache?key=a&value=b&hours=1", ...unknownOption },
  { target: "/keys?limit=0", ...invalid },
  { target: "/keys?limit=1001", ...invalid, says: "1001" },
  { target: "/keys?limit=ten", ...invalid },
  { target: "/keys?from=a", ...unknownOption },
  { target: "/status?verbose=1", ...unknownOption },
  { target: "/digest?x", ...unknownOption },
  { target: "/healthz?x", ...unknownOption },
  { target: "/readyz?x", ...unknownOption },
  { ...batchGet, target: "/batch/get?x=1", body: '{"keys":["a"]}', ...unknownOption },
  // Headers
  {
    target: "/cache/a",
    headers: { "meridian-position": "p2.1" },
    code: "INVALID_POSITION",
    status: 400,
  },
  { target: "/cache/a", headers: { "meridian-wait-ms": "10001" }, ...invalid, says: "10001" },
  { target: "/cache/a", headers: { "meridian-wait-ms": "-1" }, ...invalid },
  {
    ...put,
    target: "/cache/a",
    headers: { "content-type": `text/${"x".repeat(251)}` },
    ...invalid,
  },
  { ...put, target: "/cache/a", headers: { "content-type": "té/xt" }, ...invalid },
  {
    ...put,
    target: "/cache/a",
    headers: { "content-encoding": "gzip" },
    ...invalidBody,
    says: "gzip",
  },
  { ...put, target: "/cache/a", headers: { "content-range": "bytes 0-0/9" }, ...invalidBody },
  // Batches
  { ...batchGet, body: "", ...invalidBody },
  { ...batchGet, body: "{", ...invalidBody },
  { ...batchGet, body: "[]", ...invalidBody, says: "a list" },
  { ...batchGet, body: "{}", ...invalidBody, says: "nothing" },
  { ...batchGet, body: '{"keys":"a"}', ...invalidBody },
  { ...batchGet, body: '{"keys":[]}', ...invalid },
  { ...batchGet, body: '{"keys":[1]}', ...invalidBody, says: "a number" },
  { ...batchGet, body: '{"keys":[""]}', ...invalidKey },
  { ...batchGet, body: '{"keys":["\\ud800"]}', ...invalidKey },
  { ...batchGet, body: '{"keys":["a"],"stale":true}', ...unknownOption },
  { ...batchGet, body: JSON.stringify({ keys: Array(1001).fill("a") }), ...invalid, says: "1001" },
  { ...batchSet, body: '{"entries":{}}', ...invalidBody },
  { ...batchSet, body: '{"entries":[null]}', ...invalidBody, says: "null" },
  { ...batchSet, body: setBody({ key: "a" }), ...invalidBody, says: "`value`" },
  { ...batchSet, body: setBody({ value: "a" }), ...invalidBody, says: "`key`" },
  { ...batchSet, body: setBody({ key: "a", value: 1 }), ...invalidBody },
  { ...batchSet, body: setBody({ key: "a", value: "!", encoding: "base64" }), ...invalid },
  { ...batchSet, body: setBody({ key: "a", value: "YQ", encoding: "base64" }), ...invalid },
  {
    ...batchSet,
    body: setBody({ key: "a", value: "x", encoding: "hex" }),
    ...invalid,
    says: "hex",
  },
  { ...batchSet, body: '{"entries":[{"key":"a","value":"\\ud800"}]}', ...invalid },
  { ...batchSet, body: setBody({ key: "a", value: "x", ttl: 0 }), ...invalidTtl },
  { ...batchSet, body: setBody({ key: "a", value: "x", ttl: "1w" }), ...invalidTtl },
  { ...batchSet, body: setBody({ key: "a", value: "x", ttl: null }), ...invalidBody },
  {
    ...batchSet,
    body: setBody({ key: "a", value: "x", tags: [] }),
    ...unknownOption,
    says: "`tags`",
  },
  { ...batchSet, body: setBody({ key: "a", value: "x", contentType: "a\nb" }), ...invalid },
  { ...batchSet, body: setBody({ key: "a", value: "x", contentType: "" }), ...invalid },
  { ...batchSet, body: '{"entries":[{"key":"a","value":"x"}],"ack":0}', ...invalid },
  { ...batchSet, body: '{"entries":[{"key":"a","value":"x"}],"timeout":5}', ...invalidBody },
  {
    ...batchSet,
    body: setBody({ key: "a", value: "x".repeat(1024 * 1024 + 1) }),
    code: "VALUE_TOO_LARGE",
    status: 413,
  },
  // Paths and methods
  { target: "/", code: "ROUTE_NOT_FOUND", status: 404 },
  { target: "/caches/a", code: "ROUTE_NOT_FOUND", status: 404 },
  { target: "/%63ache/a", code: "ROUTE_NOT_FOUND", status: 404 },
  { target: "/__proto__", code: "ROUTE_NOT_FOUND", status: 404 },
  { ...post, target: "/cache/a", code: "METHOD_NOT_ALLOWED", status: 405 },
  { method: "PATCH", target: "/cache/a", code: "METHOD_NOT_ALLOWED", status: 405 },
  { method: "DELETE", target: "/cache", code: "METHOD_NOT_ALLOWED", status: 405 },
  { target: "/batch/get", code: "METHOD_NOT_ALLOWED", status: 405 },
];

describe("bad input is refused with its code, a sentence, and no change", () => {
  it.each(
    cases.map(
      (each) =>
        [
          `${each.method ?? "GET"} ${each.target.slice(0, 60)} ${(each.body ?? "").slice(0, 60)}`,
          each,
        ] as const,
    ),
  )("%s", async (_, { method = "GET", target, headers = {}, body, code, status, says = "" }) => {
    const before = await jsonOf(await region.request("/digest"));
    const init = { method, headers, ...(body !== undefined && { body }) };
    const answer = await region.request(target, init);
    const problem = await jsonOf(answer);
    expect(problem).toMatchObject({ code, status });
    expect(problem["detail"]).toContain(says);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.headers.get("meridian-node")).toBe("fra");
    expect(answer.headers.get("meridian-position")).toMatch(/^p1\./);
    expect(await jsonOf(await region.request("/digest"))).toEqual(before);
  });

  it("names the options that there are", async () => {
    const problem = await jsonOf(
      await region.request("/cache/a?tl=5", { method: "PUT", body: "x" }),
    );
    expect(problem).toMatchObject({ option: "tl", known: ["ttl", "ack", "timeout", "scope"] });
  });

  it("tells with Allow which methods there are", async () => {
    const answer = await region.request("/cache/a", { method: "POST" });
    expect(answer.headers.get("allow")).toBe("GET, HEAD, PUT, DELETE");
    expect((await region.request("/batch/set")).headers.get("allow")).toBe("POST");
  });
});

describe("a batch with one bad entry", () => {
  it("writes none of its entries", async () => {
    const body = JSON.stringify({
      entries: [
        { key: "good", value: "x" },
        { key: "", value: "x" },
      ],
    });
    const answer = await region.request("/batch/set", { method: "POST", body });
    expect(answer.status).toBe(400);
    expect((await region.request("/cache/good")).status).toBe(404);
  });
});
