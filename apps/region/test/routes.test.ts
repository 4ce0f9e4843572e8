import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { REGION_API, routesOf } from "@meridian/protocol/http-api";

import { headerOf, jsonOf, testNode, type TestNode } from "./harness.ts";
import manifest from "../package.json" with { type: "json" };

let region: TestNode;
beforeAll(async () => {
  region = await testNode();
});
afterAll(() => region.close());

const post = (target: string, body?: unknown): Promise<Response> =>
  region.request(target, {
    method: "POST",
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });

it("every request that is answered stands in the table of the API, or is of a page that anybody may read", () => {
  const pages = ["/", "/console/{file}", "/docs", "/docs.css", "/openapi.json"];
  const answered = region.app.routes.map(({ method, path }) => `${method} ${path}`);
  const listed = routesOf(REGION_API).map(({ method, path }) => `${method} ${path}`);
  const both = [...listed, ...pages.map((path) => `GET ${path}`)];
  expect(answered.toSorted()).toEqual(both.toSorted());
});

describe("the short forms", () => {
  it("set text and read it back as JSON", async () => {
    const written = await post("/cache?key=greeting&value=Gr%C3%BC%C3%9Fe+dich");
    const { etag } = await jsonOf(written);
    expect(headerOf(written, "etag")).toBe(etag);
    const read = await region.request("/cache?key=greeting");
    expect(await jsonOf(read)).toEqual({
      key: "greeting",
      found: true,
      value: "Grüße dich",
      encoding: "utf8",
      contentType: "text/plain; charset=utf-8",
      etag,
      expiresAtMs: null,
    });
    expect(headerOf(await region.request("/cache/greeting"), "content-type")).toBe(
      "text/plain; charset=utf-8",
    );
  });

  it("take minutes, fractions too", async () => {
    const { expiresAtMs } = await jsonOf(await post("/cache?key=m&value=x&minutes=1.5"));
    const leftMs = Number(expiresAtMs) - region.clock.nowMs();
    expect(leftMs).toBe(90_000);
  });

  it("give bytes that are not UTF-8 in base64, and keep a byte order mark", async () => {
    await region.request("/cache/raw", { method: "PUT", body: Uint8Array.of(0xff, 0x00) });
    expect(await jsonOf(await region.request("/cache?key=raw"))).toMatchObject({
      value: "/wA=",
      encoding: "base64",
    });
    await region.request("/cache/bom", { method: "PUT", body: "\ufeffx" });
    expect(await jsonOf(await region.request("/cache?key=bom"))).toMatchObject({
      value: "\ufeffx",
    });
  });

  it("answer a problem for a key that is not there", async () => {
    const answer = await region.request("/cache?key=nobody");
    expect(answer.status).toBe(404);
    expect(await jsonOf(answer)).toMatchObject({ code: "KEY_NOT_FOUND" });
  });
});

describe("the short form of a set", () => {
  it("take a due date, as milliseconds or an instant, and answer with the value that is stored", async () => {
    const dueMs = region.clock.nowMs() + 90_000;
    const iso = new Date(dueMs).toISOString();
    for (const due of [String(dueMs), iso, iso.replace("Z", "%2B00:00")]) {
      expect(await jsonOf(await post(`/cache?key=d&value=früh&due=${due}`))).toEqual({
        key: "d",
        value: "früh",
        encoding: "utf8",
        contentType: "text/plain; charset=utf-8",
        etag: expect.any(String) as string,
        expiresAtMs: dueMs,
        acknowledged: expect.anything() as unknown,
      });
    }
    const never = await jsonOf(await post("/cache?key=d&value=x&due=never"));
    expect(never).toMatchObject({ expiresAtMs: null });
  });

  it.each([
    ["text/plain", "a b", { value: "a b", encoding: "utf8", contentType: "text/plain" }],
    [
      "application/x-www-form-urlencoded",
      "a=b",
      { value: "a=b", contentType: "text/plain; charset=utf-8" },
    ],
    [
      "image/png",
      Uint8Array.of(0xff, 0),
      { value: "/wA=", encoding: "base64", contentType: "image/png" },
    ],
  ])("take a body of type %s as the value", async (type, body, told) => {
    const headers = { "content-type": type, "content-length": String(body.length) };
    const answer = await region.request("/cache?key=body&minutes=1", {
      method: "POST",
      headers,
      body,
    });
    expect(await jsonOf(answer)).toMatchObject(told);
    expect(await jsonOf(await region.request("/cache?key=body"))).toMatchObject(told);
  });
});

describe("a batch", () => {
  it("sets in one commit and gets in the order asked for", async () => {
    const written = await post("/batch/set", {
      entries: [
        { key: "b1", value: "one" },
        { key: "b2", value: "AAEC", encoding: "base64", ttl: "1m" },
        { key: "b3", value: "{}", contentType: "application/json", ttl: 60 },
      ],
    });
    expect(written.status).toBe(200);
    const { entries, acknowledged } = await jsonOf(written);
    const untilMs = region.clock.nowMs() + 60_000;
    const etag: unknown = expect.stringMatching(/^"[0-9a-z]+-[0-9a-z]+"$/);
    expect(entries).toEqual([
      { key: "b1", etag, expiresAtMs: null },
      { key: "b2", etag, expiresAtMs: untilMs },
      { key: "b3", etag, expiresAtMs: untilMs },
    ]);
    expect(acknowledged).toMatchObject({ level: "local", reached: true });
    const read = await jsonOf(await post("/batch/get", { keys: ["b3", "b0", "b2", "b1", "b1"] }));
    const b1 = { key: "b1", value: "one", contentType: "text/plain; charset=utf-8" };
    expect(read["entries"]).toMatchObject([
      { key: "b3", found: true, value: "{}", contentType: "application/json" },
      { key: "b0", found: false },
      { key: "b2", found: true, value: "\u0000\u0001\u0002", encoding: "utf8" },
      b1,
      b1,
    ]);
  });

  it("keeps the last of two values for one key", async () => {
    await post("/batch/set", {
      entries: [
        { key: "dup", value: "first" },
        { key: "dup", value: "last" },
      ],
    });
    expect(await (await region.request("/cache/dup")).text()).toBe("last");
  });

  it("takes 1000 keys", async () => {
    const entries = Array.from({ length: 1000 }, (_, index) => ({ key: `k${index}`, value: "v" }));
    expect((await post("/batch/set", { entries })).status).toBe(200);
    const read = await jsonOf(await post("/batch/get", { keys: entries.map(({ key }) => key) }));
    expect(read["entries"]).toHaveLength(1000);
  });

  it("is not answered beyond 16 MiB of values", async () => {
    await region.request("/cache/large", { method: "PUT", body: "x".repeat(1024 * 1024) });
    const answer = await post("/batch/get", { keys: Array<string>(17).fill("large") });
    expect(answer.status).toBe(413);
    expect(await jsonOf(answer)).toMatchObject({ code: "VALUE_TOO_LARGE" });
    expect((await post("/batch/get", { keys: Array<string>(16).fill("large") })).status).toBe(200);
  });
});

describe("the list of keys", () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await testNode();
    const entries = ["a", "b/1", "b/2", "b/3", "b/é", "c", "gone"].map((key) => ({
      key,
      value: key,
      ...(key === "b/2" && { ttl: 5 }),
    }));
    const body = JSON.stringify({ entries });
    await node.request("/batch/set", { method: "POST", body });
    await node.request("/cache/gone", { method: "DELETE" });
    node.clock.advance(5_000);
  });
  afterAll(() => node.close());

  const list = async (
    query: string,
  ): Promise<{ readonly keys: string[]; readonly next: string | null }> => {
    const { keys, next } = await jsonOf(await node.request(`/keys?${query}`));
    return {
      keys: (keys as { readonly key: string }[]).map(({ key }) => key),
      next: next as string | null,
    };
  };

  it("has the live ones in the order of their bytes", async () => {
    expect(await list("")).toEqual({ keys: ["a", "b/1", "b/3", "b/é", "c"], next: null });
    expect(await list("prefix=b/")).toEqual({ keys: ["b/1", "b/3", "b/é"], next: null });
    expect(await list("prefix=b/&after=b/1")).toEqual({ keys: ["b/3", "b/é"], next: null });
    expect(await list("after=b")).toEqual({ keys: ["b/1", "b/3", "b/é", "c"], next: null });
    expect(await list("prefix=zzz")).toEqual({ keys: [], next: null });
  });

  it("comes in pages that join without gap or overlap", async () => {
    const all: string[] = [];
    let after = "";
    for (let page = 0; page < 20; page += 1) {
      const { keys, next } = await list(`limit=2${after}`);
      expect(keys.length).toBeLessThanOrEqual(2);
      all.push(...keys);
      if (next === null) break;
      after = `&after=${encodeURIComponent(next)}`;
    }
    expect(all).toEqual(["a", "b/1", "b/3", "b/é", "c"]);
  });

  it("describes each key", async () => {
    const { keys } = await jsonOf(await node.request("/keys?prefix=b/%C3%A9"));
    expect(keys).toEqual([
      {
        key: "b/é",
        bytes: 4,
        contentType: "text/plain; charset=utf-8",
        etag: headerOf(await node.request("/cache/b/%C3%A9"), "etag"),
        expiresAtMs: null,
      },
    ]);
  });
});

describe("the node", () => {
  it("tells its state", async () => {
    const status = await jsonOf(await region.request("/status"));
    expect(status).toMatchObject({
      id: "fra",
      region: "eu",
      lat: 50.1,
      lon: 8.7,
      cluster: "test",
      version: manifest.version,
      status: "standalone",
      replica: { connected: false },
      store: { failed: false },
    });
    expect(status["startedAtMs"]).toBeLessThanOrEqual(region.clock.nowMs());
  });

  it("counts where reads were answered from", async () => {
    const node = await testNode({ cacheEntries: 1 });
    await node.request("/cache/a", { method: "PUT", body: "x" });
    await node.request("/cache/b", { method: "PUT", body: "x" });
    for (const key of ["b", "a", "a", "c"]) await node.request(`/cache/${key}`);
    expect(await jsonOf(await node.request("/status"))).toMatchObject({
      cache: {
        entries: 1,
        reads: { memory: 2, store: 1, misses: 1 },
        removals: { evicted: 2 },
      },
    });
    await node.close();
  });

  it("digests its data alike if they are alike", async () => {
    const digest = await jsonOf(await region.request("/digest"));
    expect(digest).toEqual({
      count: expect.any(Number) as unknown,
      fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown,
      sequence: 0,
    });
    expect(await jsonOf(await region.request("/digest"))).toEqual(digest);
    await region.request("/cache/digest", { method: "PUT", body: "x" });
    expect(await jsonOf(await region.request("/digest"))).not.toEqual(digest);
  });

  it("is alive and ready while it serves", async () => {
    expect(await jsonOf(await region.request("/healthz"))).toEqual({ status: "ok" });
    expect(await jsonOf(await region.request("/readyz"))).toEqual({ status: "ready" });
  });
});

describe("a node that is not ready", () => {
  const targets = [
    ["GET", "/cache/a"],
    ["PUT", "/cache/a"],
    ["DELETE", "/cache/a"],
    ["GET", "/cache?key=a"],
    ["POST", "/cache?key=a&value=x"],
    ["POST", "/batch/get"],
    ["POST", "/batch/set"],
    ["GET", "/keys"],
    ["GET", "/readyz"],
  ] as const;

  it("sends clients away while it joins, but answers them stale data if they ask for it", async () => {
    const node = await testNode({ joining: true });
    for (const [method, target] of targets) {
      const answer = await node.request(target, { method });
      expect(answer.status).toBe(503);
      expect(headerOf(answer, "retry-after")).toBe("1");
      const problem = await jsonOf(answer);
      expect(problem).toMatchObject({ code: "NODE_SYNCING", retryable: true, alternatives: [] });
    }
    expect((await node.request("/cache/a?stale=true")).status).toBe(404);
    expect((await node.request("/cache?key=a&stale=true")).status).toBe(404);
    expect((await node.request("/healthz")).status).toBe(200);
    expect((await node.request("/status")).status).toBe(200);
    await node.close();
  });

  it("sends clients away while it drains", async () => {
    const node = await testNode();
    node.node.service.admission.drain();
    for (const [method, target] of targets) {
      const answer = await node.request(target, { method });
      expect(answer.status).toBe(503);
      expect(await jsonOf(answer)).toMatchObject({ code: "NODE_DRAINING" });
    }
    expect((await node.request("/cache/a?stale=true")).status).toBe(503);
    expect(await jsonOf(await node.request("/status"))).toMatchObject({ status: "draining" });
    await node.close();
  });
});

describe("a node whose disk does not keep up", () => {
  it("refuses writes while too much waits, goes on reading, and takes writes again later", async () => {
    const node = await testNode({ backlogBytesMax: 50 });
    const put = (key: string): Promise<Response> =>
      node.request(`/cache/${key}`, { method: "PUT", body: "x".repeat(100) });
    const [first, second] = await Promise.all([put("a"), put("b")]);
    expect(first?.status).toBe(200);
    expect(second?.status).toBe(503);
    expect(second?.headers.get("retry-after")).toBe("1");
    expect(await second?.json()).toMatchObject({ code: "OVERLOADED", retryable: true });
    expect((await node.request("/cache/a")).status).toBe(200);
    let status = 503;
    for (let tries = 0; tries < 1_000 && status === 503; tries += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      ({ status } = await put("b"));
    }
    expect(status).toBe(200);
    await node.close();
  });
});
