import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { headerOf, jsonOf, testNode, type TestNode } from "./harness.ts";

let region: TestNode;
beforeEach(async () => {
  region = await testNode();
});
afterEach(() => region.close());

const post = (target: string, body?: unknown): Promise<Response> =>
  region.request(target, {
    method: "POST",
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });

async function set(key: string, value: string, query = ""): Promise<Response> {
  const headers = { "content-type": "text/plain" };
  return region.request(`/cache/${key}${query}`, { method: "PUT", body: value, headers });
}

async function codeOf(answer: Promise<Response>): Promise<unknown> {
  return (await jsonOf(await answer))["code"];
}

async function textOf(key: string): Promise<string | undefined> {
  const answer = await region.request(`/cache/${key}`);
  return answer.ok ? answer.text() : undefined;
}

describe("a touch", () => {
  it("has a value live longer, shorter, until an instant, or for ever, and keeps the rest", async () => {
    await set("k", "value", "?ttl=10s");
    const nowMs = region.clock.nowMs();
    for (const [query, expiresAtMs] of [
      ["ttl=1h", nowMs + 3_600_000],
      ["ttl=2s", nowMs + 2_000],
      [`expiresAt=${nowMs + 5_000}`, nowMs + 5_000],
      ["expiresAt=never", null],
    ] as const) {
      const answer = await post(`/touch?key=k&${query}`);
      expect(await jsonOf(answer)).toMatchObject({ key: "k", expiresAtMs });
    }
    await post("/touch?key=k&ttl=2s");
    const read = await region.request("/cache/k");
    expect([headerOf(read, "content-type"), await read.text()]).toEqual(["text/plain", "value"]);
    region.clock.advance(2_000);
    expect(await textOf("k")).toBeUndefined();
  });

  it("of what is not there makes nothing", async () => {
    expect(await codeOf(post("/touch?key=none&ttl=1h"))).toBe("KEY_NOT_FOUND");
    await set("k", "value", "?ttl=1s");
    region.clock.advance(1_000);
    expect(await codeOf(post("/touch?key=k&ttl=1h"))).toBe("KEY_NOT_FOUND");
    expect(await textOf("k")).toBeUndefined();
  });

  it.each([
    ["", "INVALID_TTL"],
    ["&ttl=1s&expiresAt=never", "INVALID_TTL"],
    ["&expiresAt=5", "INVALID_TTL"],
    ["&expiresAt=soon", "INVALID_TTL"],
    ["&expiresAt=9999999999999999", "INVALID_TTL"],
    ["&ttl=soon", "INVALID_TTL"],
  ])("with %s is refused", async (query, code) => {
    await set("k", "value");
    expect(await codeOf(post(`/touch?key=k${query}`))).toBe(code);
    expect(headerOf(await region.request("/cache/k"), "etag")).toMatch(/"/);
    expect((await region.request("/cache/k")).headers.has("meridian-expires-at")).toBe(false);
  });
});

describe("a pull", () => {
  it("of many at once gives a value to one of them, and leaves nothing", async () => {
    await set("k", "value");
    const answers = await Promise.all(Array.from({ length: 20 }, () => post("/pull?key=k")));
    const found = answers.filter(({ status }) => status === 200);
    expect(found).toHaveLength(1);
    expect(await jsonOf(found[0] as Response)).toMatchObject({ value: "value", found: true });
    expect(await textOf("k")).toBeUndefined();
    expect(await codeOf(post("/pull?key=k"))).toBe("KEY_NOT_FOUND");
  });
});

describe("many keys", () => {
  it("are deleted in one commit, which says what was there, and a key once", async () => {
    await set("a", "1");
    await set("b", "2", "?ttl=1s");
    region.clock.advance(1_000);
    const answer = await jsonOf(await post("/batch/delete", { keys: ["a", "b", "c", "a"] }));
    const etag: unknown = expect.any(String);
    expect(answer["entries"]).toEqual([
      { key: "a", etag, deleted: true },
      { key: "b", etag, deleted: false },
      { key: "c", etag, deleted: false },
    ]);
    expect(answer["acknowledged"]).toMatchObject({ level: "local", reached: true });
    expect(await textOf("a")).toBeUndefined();
  });

  it("are told to be there or not, in their order", async () => {
    const etag = (await set("a", "1")).headers.get("etag");
    const answer = await jsonOf(await post("/batch/has", { keys: ["b", "a"] }));
    expect(answer["entries"]).toEqual([
      { key: "b", found: false },
      { key: "a", found: true, etag },
    ]);
  });

  it("are listed with their values, as many as are not too large, without counting as a use", async () => {
    for (let index = 0; index < 5; index += 1)
      await set(`v${index}`, String(index).repeat(400_000));
    const uses = region.node.report().cache.reads;
    const keys: string[] = [];
    let after = "";
    let pages = 0;
    for (;;) {
      pages += 1;
      const page = await jsonOf(await region.request(`/keys?values=true&after=${after}`));
      for (const { key, value, bytes } of page["keys"] as Record<string, unknown>[]) {
        expect(value).toBe(String(key).slice(1).repeat(400_000));
        expect(bytes).toBe(400_000);
        keys.push(String(key));
      }
      if (page["next"] === null) break;
      after = page["next"] as string;
    }
    expect(keys).toEqual(["v0", "v1", "v2", "v3", "v4"]);
    expect(pages).toBe(2);
    expect(region.node.report().cache.reads).toEqual(uses);
  });
});

describe("a lease", () => {
  const acquire = async (query: string): Promise<unknown> =>
    (await jsonOf(await post(`/lease?key=k${query}`)))["lease"];
  const release = async (id: unknown): Promise<unknown> => {
    const answer = await region.request(`/lease?key=k&lease=${id as string}`, { method: "DELETE" });
    return (await jsonOf(answer))["released"];
  };

  it("is held by one, who gives it back once", async () => {
    const id = await acquire("");
    expect(id).toEqual(expect.any(String));
    expect(await acquire("")).toBeNull();
    expect(await release("other")).toBe(false);
    expect(await release(id)).toBe(true);
    expect(await release(id)).toBe(false);
    expect(await acquire("")).not.toBeNull();
  });

  it("that is given back has all who wait look again", async () => {
    const id = await acquire("");
    const waits = [acquire("&wait=5s"), acquire("&wait=5s")];
    await region.settle(Promise.resolve());
    await release(id);
    expect(await Promise.all(waits)).toEqual([null, null]);
  });

  it("whose holder is gone goes to who has waited longest, and then to the next", async () => {
    await acquire("&ttl=1s");
    const first = acquire("&ttl=2s&wait=10s");
    const second = acquire("&ttl=1s&wait=10s");
    const third = acquire("&wait=500ms");
    expect(await region.settle(third)).toBeNull();
    expect(await region.settle(first)).toEqual(expect.any(String));
    const sinceMs = region.clock.elapsedMs();
    expect(await region.settle(second)).toEqual(expect.any(String));
    expect(region.clock.elapsedMs() - sinceMs).toBeGreaterThanOrEqual(1_500);
  });

  it("is waited for by nobody any more once the node stops", async () => {
    await acquire("&ttl=10m");
    const wait = acquire("&wait=10s");
    await region.settle(Promise.resolve());
    const sinceMs = region.clock.elapsedMs();
    region.node.service.leases.close();
    expect(await wait).toBeNull();
    expect(region.clock.elapsedMs() - sinceMs).toBeLessThan(1_000);
  });

  it.each(["&ttl=11m", "&ttl=0", "&wait=11s", "&wait=x"])("with %s is refused", async (query) => {
    expect(await codeOf(post(`/lease?key=k${query}`))).toBe("INVALID_ARGUMENT");
  });
});
