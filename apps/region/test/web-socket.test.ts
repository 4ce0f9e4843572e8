import { once } from "node:events";
import { connect } from "node:net";

import { SOCKET_API } from "@meridian/protocol/socket-api";
import type { SOCKET_TONGUES } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

import { exchangeBytes, ManualClock, parseAnswer, testNode } from "./harness.ts";
import {
  levelOf,
  openForTest,
  serveSockets,
  SocketClient,
  until,
  type Told,
} from "./socket-client.ts";

const APP = "https://app.example.com";

const { region, port, client } = await serveSockets({ allowOrigin: [APP], valueBytesMax: 200_000 });

const another = (tongue?: keyof typeof SOCKET_TONGUES): Promise<SocketClient> =>
  openForTest(port, tongue);

describe("a value", () => {
  it.each([
    ["text", { value: "blué" }, "blué", "utf8", "text/plain; charset=utf-8"],
    ["base64", { value: "AP8=", encoding: "base64" }, "AP8=", "base64", "application/octet-stream"],
    [
      "JSON",
      { value: { a: [1, null] }, encoding: "json" },
      '{"a":[1,null]}',
      "utf8",
      "application/json",
    ],
    ["JSON null", { value: null, encoding: "json" }, "null", "utf8", "application/json"],
    ["typed text", { value: "<a/>", contentType: "text/xml" }, "<a/>", "utf8", "text/xml"],
  ])("goes in as %s, and comes back the same", async (_, given, value, encoding, contentType) => {
    await client.result({ type: "set", key: "v", ...given });
    const found = await client.result({ type: "get", key: "v" });
    expect(found).toMatchObject({ key: "v", found: true, value, encoding, contentType });
    if (!("encoding" in given)) return;
    const again = await client.result({ type: "get", key: "v", encoding: given.encoding });
    expect(again).toMatchObject({ value: given.value, encoding: given.encoding });
    const many = await client.result({
      type: "getMany",
      keys: ["v", "none"],
      encoding: given.encoding,
    });
    expect(many).toMatchObject({ entries: [again, { key: "none", found: false }] });
  });

  it("is the one that HTTP stores and reads", async () => {
    await client.result({ type: "set", key: "both", value: "one", ttl: "1h" });
    const read = await region.request("/cache/both");
    expect(await read.text()).toBe("one");
    await region.request("/cache/both", { method: "PUT", body: "two" });
    expect(await client.result({ type: "get", key: "both" })).toMatchObject({ value: "two" });
  });

  it("is not told in an encoding that it does not have", async () => {
    await client.result({ type: "set", key: "v", value: "AP8=", encoding: "base64" });
    expect(await client.code({ type: "get", key: "v", encoding: "utf8" })).toBe("INVALID_ARGUMENT");
    for (const value of ["{", "[".repeat(65) + "]".repeat(65)]) {
      await client.result({ type: "set", key: "v", value });
      const get = { type: "get", key: "v", encoding: "json" };
      expect(await client.code(get)).toBe("INVALID_ARGUMENT");
    }
    await client.result({ type: "set", key: "v", value: "\0".repeat(2_000) });
    expect(await client.code({ type: "get", key: "v", encoding: "utf8" })).toBe("INVALID_ARGUMENT");
  });

  it("counts in an answer by what it takes there", async () => {
    // Each takes two bytes.
    const value = '"'.repeat(150_000);
    const keys = Array.from({ length: 8 }, (_, index) => `quotes:${index}`);
    for (const key of keys) await client.result({ type: "set", key, value });
    expect(await client.code({ type: "getMany", keys: keys.slice(2) })).toBe("ok");
    expect(await client.code({ type: "getMany", keys })).toBe("VALUE_TOO_LARGE");
  });
});

const TONGUES = ["json", "binary"] as const;

it.each(TONGUES)(
  "every request of the table is answered as its schema says (%s)",
  async (tongue) => {
    const client = await another(tongue);
    const asked: readonly Told[] = [
      { type: "auth", token: "anything" },
      { type: "ping" },
      {
        type: "setMany",
        entries: [
          { key: "m1", value: "1" },
          { key: "m2", value: [2], encoding: "json", ttl: 60 },
        ],
      },
      { type: "getMany", keys: ["m1", "m2", "none"] },
      { type: "set", key: "m1", value: "2", ttl: "5m", ack: "local", timeout: "1s", waitMs: 10 },
      { type: "get", key: "m1", stale: true },
      ...[{ expiresAt: "never" }, { ttl: 30 }].map((life) => ({
        type: "touch",
        key: "m1",
        ...life,
      })),
      { type: "entries", prefix: "m", limit: 1 },
      { type: "entries", prefix: "m", after: "m1", values: true },
      { type: "hasMany", keys: ["m1", "none"] },
      { type: "lease", key: "none", ttl: "1s" },
      { type: "release", key: "none", lease: "nobody" },
      { type: "pull", key: "m2" },
      { type: "delete", key: "m1" },
      { type: "deleteMany", keys: ["m2", "m2", "none"] },
      { id: 900, type: "watch", prefix: "m" },
      { type: "unwatch", watch: 900 },
    ];
    for (const request of asked)
      expect([request, await client.code(request)]).toEqual([request, "ok"]);
    expect(new Set(asked.map(({ type }) => type))).toEqual(new Set(Object.keys(SOCKET_API)));
  },
);

describe("conditions and sessions", () => {
  it.each(TONGUES)("hold as over HTTP (%s)", async (tongue) => {
    const client = await another(tongue);
    const { etag } = await client.result({ type: "set", key: "c", value: "1" });
    const get = { type: "get", key: "c" };
    expect(await client.result({ ...get, ifNoneMatch: etag })).toEqual({
      key: "c",
      found: true,
      unchanged: true,
      etag,
      expiresAtMs: null,
    });
    const set = { type: "set", key: "c", value: "2" };
    expect(await client.code({ ...set, ifNoneMatch: "*" })).toBe("PRECONDITION_FAILED");
    expect(await client.code({ ...set, ifMatch: '"other"' })).toBe("PRECONDITION_FAILED");
    expect(await client.code({ ...set, ifMatch: etag })).toBe("ok");
    expect(await client.code({ type: "delete", key: "c", ifMatch: etag })).toBe(
      "PRECONDITION_FAILED",
    );
  });

  it.each(TONGUES)(
    "end at a position that is not reached, and every answer has one (%s)",
    async (tongue) => {
      const client = await another(tongue);
      await client.result({ type: "set", key: "v", value: "1" });
      const { position } = await client.ask({ type: "ping" });
      expect(await client.code({ type: "get", key: "none", position })).toBe("KEY_NOT_FOUND");
      const later = "p1.1.1.999.0.0";
      const asked = client.code({ type: "get", key: "v", position: later, waitMs: 0 });
      expect(await region.settle(asked)).toBe("POSITION_NOT_REACHED");
      expect(await client.code({ type: "get", key: "v", position: "nonsense" })).toBe(
        "INVALID_POSITION",
      );
    },
  );
});

describe("what is wrong with a request is told in its answer, and the connection goes on", () => {
  it.each<[string, Told, string]>([
    ["an unknown type", { type: "gte", key: "a" }, "MALFORMED_MESSAGE"],
    ["a name that every object has", { type: "toString" }, "MALFORMED_MESSAGE"],
    ["no type", { key: "a" }, "MALFORMED_MESSAGE"],
    ["an unknown member", { type: "get", key: "a", tll: 1 }, "UNKNOWN_OPTION"],
    [
      "an unknown member of an entry",
      { type: "setMany", entries: [{ key: "a", value: "x", tll: 1 }] },
      "UNKNOWN_OPTION",
    ],
    ["no key", { type: "get" }, "INVALID_BODY"],
    ["a key that is no text", { type: "get", key: 1 }, "INVALID_BODY"],
    ["a key that is too long", { type: "get", key: "k".repeat(2_000) }, "INVALID_KEY"],
    ["a reserved key", { type: "getMany", keys: ["a", "\u0000a"] }, "INVALID_KEY"],
    ["no value", { type: "set", key: "a" }, "INVALID_BODY"],
    ["a value that is no text", { type: "set", key: "a", value: 5 }, "INVALID_BODY"],
    [
      "a value that is not base64",
      { type: "set", key: "a", value: "?", encoding: "base64" },
      "INVALID_ARGUMENT",
    ],
    ["half a character", { type: "set", key: "a", value: "\ud800" }, "INVALID_ARGUMENT"],
    ["an unknown encoding", { type: "set", key: "a", value: "a", encoding: "hex" }, "INVALID_BODY"],
    [
      "a value that is too large",
      { type: "set", key: "a", value: "v".repeat(200_001) },
      "VALUE_TOO_LARGE",
    ],
    [
      "a wrong content type",
      { type: "set", key: "a", value: "a", contentType: "\n" },
      "INVALID_ARGUMENT",
    ],
    ["a wrong TTL", { type: "set", key: "a", value: "a", ttl: "soon" }, "INVALID_TTL"],
    ["a TTL of nothing", { type: "set", key: "a", value: "a", ttl: 0 }, "INVALID_TTL"],
    [
      "a wrong acknowledgement",
      { type: "set", key: "a", value: "a", ack: "some" },
      "INVALID_ARGUMENT",
    ],
    ["a wait that is too long", { type: "get", key: "a", waitMs: 1e6 }, "INVALID_BODY"],
    ["no keys", { type: "getMany", keys: [] }, "INVALID_BODY"],
    [
      "too many keys",
      { type: "getMany", keys: Array.from({ length: 1_001 }, String) },
      "INVALID_BODY",
    ],
    ["two lives", { type: "touch", key: "a", ttl: 1, expiresAt: "never" }, "INVALID_TTL"],
    ["a key that is not there", { type: "touch", key: "none", ttl: 1 }, "KEY_NOT_FOUND"],
    ["too many entries", { type: "entries", limit: 5_000 }, "INVALID_BODY"],
  ])("%s", async (_, request, code) => {
    const answer = await client.ask(request);
    expect(answer).toMatchObject({ type: "error", error: { code, detail: /^Expected/ } });
    expect(await client.code({ type: "ping" })).toBe("ok");
  });
});

describe("a message that is no request", () => {
  it.each([
    ["text that is no JSON", "{"],
    ["a list", "[1]"],
    ["a number", "1"],
    ["no id", '{"type":"ping"}'],
    ["an id that is too long", `{"type":"ping","id":"${"i".repeat(65)}"}`],
    ["an id of another kind", '{"type":"ping","id":-1}'],
    ["deep nesting", "[".repeat(100_000)],
    ["bytes", Buffer.from("{}")],
  ])("is told so: %s", async (_, message) => {
    client.socket.send(message);
    const told = await client.take();
    expect(told).toMatchObject({ type: "error", id: null, error: { code: "MALFORMED_MESSAGE" } });
    expect(await client.code({ type: "ping" })).toBe("ok");
  });

  it("a message over the limit ends the connection with the reason", async () => {
    const other = await another();
    other.socket.send("x".repeat(3 * 1024 * 1024));
    expect(await other.closed).toEqual({
      code: 1009,
      reason: expect.stringContaining("Expected a message of at most 2097152 bytes") as string,
    });
    expect(await client.code({ type: "ping" })).toBe("ok");
  });
});

describe("many requests at once", () => {
  it.each(TONGUES)("are all answered, each by its id (%s)", async (tongue) => {
    const other = await another(tongue);
    for (let n = 0; n < 500; n += 1) {
      other.send({
        id: n,
        type: n % 2 === 0 ? "set" : "get",
        key: `p${n % 50}`,
        ...(n % 2 === 0 && { value: "x" }),
      });
    }
    const ids = new Set<unknown>();
    for (let n = 0; n < 500; n += 1) ids.add((await other.take())["id"]);
    expect(ids.size).toBe(500);
    expect(levelOf(region, "webSocketRequests")).toBe(0);
  });

  it.each(TONGUES)("that have the id of one under way are refused (%s)", async (tongue) => {
    const other = await another(tongue);
    const stall = region.stall();
    other.send({ id: 77, type: "set", key: "d", value: "1" });
    other.send({ id: 77, type: "set", key: "d", value: "2" });
    const refused = await other.take();
    stall.end();
    expect(refused).toMatchObject({
      id: null,
      error: { code: "INVALID_ARGUMENT", requestId: 77 },
    });
    expect(await other.take()).toMatchObject({ id: 77, type: "result" });
    expect(await client.result({ type: "get", key: "d" })).toMatchObject({ value: "1" });
  });
});

describe("an upgrade", () => {
  const head = (more: string, path = "/ws"): string =>
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`;
  const protocol = "Sec-WebSocket-Protocol: meridian.v1+json\r\n";

  it.each([
    ["without the subprotocol", head(""), 400, "UNSUPPORTED_VERSION"],
    [
      "with another subprotocol",
      head("Sec-WebSocket-Protocol: mqtt\r\n"),
      400,
      "UNSUPPORTED_VERSION",
    ],
    [
      "of a page that may not ask",
      head(`${protocol}Origin: https://evil.example.com\r\n`),
      403,
      "ORIGIN_NOT_ALLOWED",
    ],
    ["with a token in its URL", head(protocol, "/ws?token=a.b.c"), 400, "UNKNOWN_OPTION"],
  ])("%s is refused", async (_, bytes, status, code) => {
    const answer = parseAnswer(await exchangeBytes(port, bytes));
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([status, { code }]);
  });

  it("of an allowed page is taken", async () => {
    const page = await SocketClient.open(port, { origin: APP });
    expect(await page.code({ type: "ping" })).toBe("ok");
    page.close();
  });

  it("is one too many when half of the connections are WebSockets", async () => {
    const small = await testNode({ limits: { connectionsMax: 4 } });
    const own = await small.serve();
    const two = [await SocketClient.open(own), await SocketClient.open(own)];
    const answer = parseAnswer(await exchangeBytes(own, head(protocol)));
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([503, { code: "OVERLOADED" }]);
    for (const each of two) each.close();
    await small.close();
  });
});

describe("a client that never reads", () => {
  it("holds little, keeps nobody waiting, and is cut with a reason that is counted", async () => {
    const clock = new ManualClock();
    const node = await testNode({ serverClock: clock });
    const own = await node.serve();
    const reader = await SocketClient.open(own);
    await reader.result({ type: "set", key: "large", value: "v".repeat(500_000) });
    const deaf = connect(own, "127.0.0.1");
    deaf.on("error", () => {});
    deaf.write(
      "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: meridian.v1+json\r\n\r\n",
    );
    await once(deaf, "data");
    deaf.pause();
    for (let id = 0; id < 500; id += 1) {
      const text = Buffer.from(JSON.stringify({ id, type: "get", key: "large" }));
      // Masked with zeros.
      deaf.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
    }
    await until(() => levelOf(node, "webSocketBytes") > 1024 * 1024);
    expect(await reader.code({ type: "ping" })).toBe("ok");
    expect(levelOf(node, "webSocketBytes")).toBeLessThan(4 * 1024 * 1024);
    expect(levelOf(node, "webSockets")).toBe(2);
    // The reader shows that it is there, as its library answers pings.
    for (let second = 0; second < 35; second += 1) clock.advance(1_000);
    deaf.resume();
    await once(deaf, "close");
    await until(() => levelOf(node, "webSockets") === 1);
    const cuts = node.node.metrics
      .families()
      .find(({ name }) => name === "meridian_websocket_cuts_total");
    const counts = cuts?.samples.map(({ labels, value }) => [
      labels["reason"],
      (value as () => number)(),
    ]);
    expect(counts?.filter(([, count]) => count !== 0)).toEqual([["unread", 1]]);
    expect(await reader.code({ type: "ping" })).toBe("ok");
    reader.close();
    await node.close();
  });

  it("or says nothing and answers no pings is gone after a while", async () => {
    const clock = new ManualClock();
    const node = await testNode({ serverClock: clock });
    const dead = await SocketClient.open(await node.serve());
    dead.socket.pause();
    for (let second = 0; second < 95; second += 1) clock.advance(1_000);
    dead.socket.resume();
    expect(await dead.closed).toMatchObject({ code: 4408 });
    await node.close();
  });
});

it("a node that stops answers what is under way, refuses what comes, and closes with 1001", async () => {
  const node = await testNode();
  const leaving = await SocketClient.open(await node.serve());
  const idle = await SocketClient.open(await node.serve());
  const stall = node.stall();
  leaving.send({ id: "late", type: "set", key: "a", value: "1" });
  await until(() => node.requests === 1);
  const stopped = node.node.stop(5_000);
  leaving.send({ id: "later", type: "get", key: "a" });
  expect(await leaving.take()).toMatchObject({ id: "later", error: { code: "NODE_DRAINING" } });
  expect(await idle.closed).toMatchObject({ code: 1001 });
  stall.end();
  expect(await leaving.take()).toMatchObject({ id: "late", type: "result" });
  expect(await leaving.closed).toMatchObject({ code: 1001, reason: /shutting down/ });
  await node.settle(stopped);
  await node.close();
});

it("a node that stops while a request is under way breaks the connection, and closes others with 1001", async () => {
  const node = await testNode();
  const own = await node.serve();
  const [waiting, idle] = [await SocketClient.open(own), await SocketClient.open(own)];
  const stall = node.stall();
  waiting.send({ type: "set", key: "a", value: "1" });
  await until(() => node.requests === 1);
  const closed = node.close();
  // 1006: the connection has ended without a close message.
  expect(await waiting.closed).toMatchObject({ code: 1006 });
  expect(await idle.closed).toMatchObject({ code: 1001 });
  stall.end();
  await closed;
});
