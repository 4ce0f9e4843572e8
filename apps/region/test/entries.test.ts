import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { needsOf } from "../src/service/writes.ts";
import { headerOf, jsonOf, testNode, type TestNode } from "./harness.ts";

let region: TestNode;
beforeAll(async () => {
  region = await testNode();
});
afterAll(() => region.close());

const put = (
  key: string,
  value: NonNullable<RequestInit["body"]>,
  init: RequestInit = {},
): Promise<Response> => region.request(`/cache/${key}`, { method: "PUT", body: value, ...init });

describe("a value", () => {
  it("comes back as it was put, with its content type and freshness", async () => {
    const written = await put("plain", "hello", { headers: { "content-type": "text/plain" } });
    expect(written.status).toBe(200);
    const body = await jsonOf(written);
    expect(body).toEqual({
      key: "plain",
      etag: headerOf(written, "etag"),
      expiresAtMs: null,
      acknowledged: {
        level: "local",
        reached: true,
        local: true,
        directory: false,
        nodes: ["fra"],
        ready: ["fra"],
      },
    });
    region.clock.advance(3_999);
    const read = await region.request("/cache/plain");
    expect(read.status).toBe(200);
    expect(await read.text()).toBe("hello");
    expect(Object.fromEntries(read.headers)).toEqual({
      "content-type": "text/plain",
      "content-length": "5",
      etag: headerOf(written, "etag"),
      age: "4",
      "meridian-cache": "memory",
      "cache-control": "no-cache",
      vary: "Meridian-Position",
      "x-content-type-options": "nosniff",
      "content-security-policy": "sandbox; default-src 'none'",
      "meridian-node": "fra",
      "meridian-position": headerOf(read, "meridian-position"),
    });
  });

  it("may be any bytes, and is binary unless it says otherwise", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    await put("bytes", bytes);
    const read = await region.request("/cache/bytes");
    expect(headerOf(read, "content-type")).toBe("application/octet-stream");
    expect(new Uint8Array(await read.arrayBuffer())).toEqual(bytes);
  });

  it("may be empty", async () => {
    await put("empty", "");
    const read = await region.request("/cache/empty");
    expect(read.status).toBe(200);
    expect(await read.text()).toBe("");
    expect(headerOf(read, "content-length")).toBe("0");
  });
});

describe("an entry", () => {
  it("is replaced by the next, under another entity tag", async () => {
    const first = await put("twice", "1");
    const second = await put("twice", "2");
    expect(headerOf(second, "etag")).not.toBe(headerOf(first, "etag"));
    expect(await (await region.request("/cache/twice")).text()).toBe("2");
  });

  it("is described by HEAD as GET would, without a body", async () => {
    await put("head", "hello");
    const get = await region.request("/cache/head");
    const head = await region.request("/cache/head", { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(Object.fromEntries(head.headers)).toEqual(Object.fromEntries(get.headers));
    expect(await head.text()).toBe("");
  });

  it("is gone after DELETE, which tells whether it was there", async () => {
    await put("mayfly", "x");
    const deleted = await region.request("/cache/mayfly", { method: "DELETE" });
    expect(deleted.status).toBe(200);
    expect(await jsonOf(deleted)).toMatchObject({
      key: "mayfly",
      deleted: true,
      expiresAtMs: null,
    });
    const read = await region.request("/cache/mayfly");
    expect(read.status).toBe(404);
    expect(headerOf(read, "meridian-cache")).toBe("miss");
    expect(await jsonOf(read)).toMatchObject({ code: "KEY_NOT_FOUND", key: "mayfly" });
    const again = await region.request("/cache/mayfly", { method: "DELETE" });
    expect(await jsonOf(again)).toMatchObject({ deleted: false });
  });
});

describe("a key", () => {
  const cases = [
    ["with slashes", "a/b//c/", "a/b//c/"],
    ["with an escaped slash", "a%2Fb", "a/b"],
    ["with spaces and percent signs", "100%25%20sure", "100% sure"],
    ["with a plus sign, which stays one", "1+1", "1+1"],
    ["in Unicode", "stra%C3%9Fe/%F0%9F%98%80", "straße/😀"],
    ["with a question mark, escaped", "what%3F", "what?"],
    ["with dot segments, escaped", "a%2F..%2Fb", "a/../b"],
    ["like a property of every object", "constructor", "constructor"],
    ["like the one that is not to be set", "__proto__", "__proto__"],
    ["of 1024 bytes", "k".repeat(1024), "k".repeat(1024)],
  ] as const;
  it.each(cases)("%s names the same entry in every form", async (_, encoded, key) => {
    const written = await put(encoded, `value of ${key}`);
    expect(await jsonOf(written)).toMatchObject({ key });
    expect(await (await region.request(`/cache/${encoded}`)).text()).toBe(`value of ${key}`);
    const short = await region.request(`/cache?key=${encodeURIComponent(key)}`);
    expect(await jsonOf(short)).toMatchObject({ key, value: `value of ${key}` });
  });

  it("is not mistaken for another by the escapes of its path", async () => {
    await put("a%252Fb", "escaped twice");
    expect((await region.request("/cache/a%25252Fb")).status).toBe(404);
    expect(await (await region.request("/cache/a%252Fb")).text()).toBe("escaped twice");
  });
});

describe("a time to live", () => {
  it("ends at its very instant, not before", async () => {
    const written = await put("brief?ttl=90s", "x");
    const { expiresAtMs } = await jsonOf(written);
    expect(expiresAtMs).toBeTypeOf("number");
    region.clock.advance(Number(expiresAtMs) - region.clock.nowMs() - 1);
    const last = await region.request("/cache/brief");
    expect(last.status).toBe(200);
    expect(headerOf(last, "age")).toBe("90");
    region.clock.advance(1);
    expect((await region.request("/cache/brief")).status).toBe(404);
  });

  it("of an entry is replaced with it", async () => {
    await put("shed?ttl=1", "x");
    await put("shed", "y");
    region.clock.advance(5_000);
    expect(await (await region.request("/cache/shed")).text()).toBe("y");
  });

  it("counts for what only the store holds", async () => {
    const small = await testNode({ cacheEntries: 1 });
    const set = (key: string): Promise<Response> =>
      small.request(`/cache/${key}?ttl=10`, { method: "PUT", body: key });
    await set("a");
    await set("b");
    const read = await small.request("/cache/a");
    expect(headerOf(read, "meridian-cache")).toBe("store");
    await small.request("/cache/b");
    small.clock.advance(10_000);
    expect((await small.request("/cache/a")).status).toBe(404);
    await small.close();
  });

  it("comes from the node where the write names none", async () => {
    const node = await testNode({ ttlMsDefault: 2_000 });
    await node.request("/cache/a", { method: "PUT", body: "x" });
    await node.request("/cache/b?ttl=5", { method: "PUT", body: "x" });
    node.clock.advance(2_000);
    expect((await node.request("/cache/a")).status).toBe(404);
    expect((await node.request("/cache/b")).status).toBe(200);
    await node.close();
  });
});

describe("the freshness of an entry", () => {
  it("is told from when it was made, and its end as an instant", async () => {
    const { expiresAtMs } = await jsonOf(await put("minute?ttl=60", "x"));
    region.clock.advance(10_500);
    for (const method of ["GET", "HEAD"]) {
      const read = await region.request("/cache/minute", { method });
      expect(headerOf(read, "cache-control")).toBe("no-cache");
      expect(headerOf(read, "age")).toBe("11");
      expect(headerOf(read, "meridian-expires-at")).toBe(String(expiresAtMs));
    }
    const headers = { "if-none-match": "*" };
    const held = await region.request("/cache/minute", { headers });
    expect([held.status, held.headers.get("meridian-expires-at")]).toEqual([
      304,
      String(expiresAtMs),
    ]);
  });

  it("of an entry without an end has no instant", async () => {
    await put("lasting", "x");
    const read = await region.request("/cache/lasting");
    expect(read.headers.has("meridian-expires-at")).toBe(false);
  });

  it("is never told by an error, which no cache keeps", async () => {
    for (const target of ["/cache/none", "/cache?key=none", "/cache/%ff", "/nowhere"]) {
      expect(headerOf(await region.request(target), "cache-control")).toBe("no-store");
    }
  });
});

describe("a conditional request", () => {
  it("is answered 304 when the client has the entry", async () => {
    const etag = headerOf(await put("cond", "x"), "etag");
    const lists = [etag, `W/${etag}`, `"other", ${etag}`, "*", etag.slice(1, -1)];
    for (const list of lists) {
      const read = await region.request("/cache/cond", { headers: { "if-none-match": list } });
      expect(read.status).toBe(304);
      expect(await read.text()).toBe("");
      expect(headerOf(read, "etag")).toBe(etag);
      expect(read.headers.has("content-length")).toBe(false);
    }
    const other = await region.request("/cache/cond", { headers: { "if-none-match": '"other"' } });
    expect(other.status).toBe(200);
  });

  it("writes only over the entry that it names", async () => {
    const first = headerOf(await put("match", "1"), "etag");
    const second = headerOf(await put("match", "2", { headers: { "if-match": first } }), "etag");
    const stale = await put("match", "3", { headers: { "if-match": first } });
    expect(stale.status).toBe(412);
    expect(await jsonOf(stale)).toMatchObject({ code: "PRECONDITION_FAILED", etag: second });
    const weak = await put("match", "3", { headers: { "if-match": `W/${second}` } });
    expect(weak.status).toBe(412);
    expect(await (await region.request("/cache/match")).text()).toBe("2");
    expect((await put("match", "3", { headers: { "if-match": "*" } })).status).toBe(200);
  });

  it("creates only what is not there, expired and deleted entries counting as not there", async () => {
    const create = { headers: { "if-none-match": "*" } };
    expect((await put("new?ttl=1", "1", create)).status).toBe(200);
    expect((await put("new", "2", create)).status).toBe(412);
    region.clock.advance(1_000);
    expect((await put("new", "2", create)).status).toBe(200);
    await region.request("/cache/new", { method: "DELETE" });
    expect((await put("new", "3", create)).status).toBe(200);
  });

  it("that asks for an entry fails where there is none", async () => {
    expect((await put("absent", "x", { headers: { "if-match": "*" } })).status).toBe(412);
    expect((await region.request("/cache/absent")).status).toBe(404);
  });

  it("of two that create one key at once, only one wins", async () => {
    const create = { headers: { "if-none-match": "*" } };
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => put("raced", String(index), create)),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 412)).toHaveLength(7);
  });

  it("deletes only the entry that it names", async () => {
    const etag = headerOf(await put("del", "1"), "etag");
    await put("del", "2");
    const remove = (list: string): Promise<Response> =>
      region.request("/cache/del", { method: "DELETE", headers: { "if-match": list } });
    expect((await remove(etag)).status).toBe(412);
    expect((await remove("*")).status).toBe(200);
  });
});

describe("an acknowledgement", () => {
  it.each(["directory", "all", "2"])(
    "of level %s times out while the directory is away",
    async (ack) => {
      const answer = await region.settle(put(`ack-${ack}?ack=${ack}&timeout=50ms`, "x"));
      expect(answer.status).toBe(504);
      expect(await jsonOf(answer)).toMatchObject({
        code: "ACK_TIMEOUT",
        acknowledged: { reached: false, local: true, directory: false, nodes: ["fra"] },
      });
      expect(await (await region.request(`/cache/ack-${ack}`)).text()).toBe("x");
    },
  );

  it("by more than this node is asked of the directory with the write", () => {
    const asks = (["local", 1, "directory", 2, "all"] as const).map(
      (level) => needsOf({ level, timeoutMs: 50 }).reportApplied,
    );
    expect(asks).toEqual([false, false, true, true, true]);
  });

  it("by one node is that of this node", async () => {
    const answer = await put("ack-1?ack=1", "x");
    expect(await jsonOf(answer)).toMatchObject({ acknowledged: { level: 1, reached: true } });
  });
});

describe("a session", () => {
  it("is served by the node that gave the token", async () => {
    const written = await put("session", "x");
    const position = headerOf(written, "meridian-position");
    const read = await region.request("/cache/session", {
      headers: { "meridian-position": position },
    });
    expect(read.status).toBe(200);
  });

  const targets = [
    ["GET", "/cache/session", undefined],
    ["PUT", "/cache/session", "y"],
    ["DELETE", "/cache/session", undefined],
    ["GET", "/cache?key=session", undefined],
    ["POST", "/cache?key=session&value=y", undefined],
    ["POST", "/batch/get", '{"keys":["session"]}'],
    ["POST", "/batch/set", '{"entries":[{"key":"session","value":"y"}]}'],
    ["GET", "/keys", undefined],
  ] as const;
  it.each(targets)(
    "of a node that is ahead is refused by %s %s, and nothing changes",
    async (method, target, body) => {
      await put("session", "x");
      const headers = { "meridian-position": "p1.1.1.9.0.0", "meridian-wait-ms": "40" };
      const init = { method, headers, ...(body !== undefined && { body }) };
      const answer = await region.settle(region.request(target, init));
      expect(answer.status).toBe(409);
      expect(await jsonOf(answer)).toMatchObject({ code: "POSITION_NOT_REACHED", retryable: true });
      expect(await (await region.request("/cache/session")).text()).toBe("x");
    },
  );
});
