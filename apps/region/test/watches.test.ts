/** Watches over WebSockets, of a real node. */
import { SOCKET_TONGUES } from "@meridian/testkit";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { ManualClock, testNode, type TestNode } from "./harness.ts";
import { SocketClient, type Told } from "./socket-client.ts";

let region: TestNode;
let port: number;
beforeAll(async () => {
  region = await testNode();
  port = await region.serve();
});
afterAll(() => region.close());

async function client(to: number = port): Promise<SocketClient> {
  const opened = await SocketClient.open(to);
  onTestFinished(() => opened.close());
  return opened;
}

const put = (key: string, value: string, query = ""): Promise<Response> =>
  region.request(`/cache/${key}${query}`, { method: "PUT", body: value });
const del = (key: string): Promise<Response> =>
  region.request(`/cache/${key}`, { method: "DELETE" });

/** The next `count` changes that a watch is told of, and the token behind them. */
async function changesOf(
  watcher: SocketClient,
  count: number,
): Promise<{ readonly changes: readonly Told[]; readonly resume: unknown }> {
  const changes: Told[] = [];
  let resume: unknown;
  while (changes.length < count) {
    const told = await watcher.take(({ type }) => type === "changes" || type === "reload");
    expect(told).toMatchObject({ type: "changes" });
    changes.push(...(told["changes"] as readonly Told[]));
    ({ resume } = told);
  }
  return { changes, resume };
}

const SET: Told = { type: "set", key: "p:a", value: "1" };

const keysOf = (changes: readonly Told[]): readonly unknown[] =>
  changes.map(({ event, key }) => `${String(event)} ${String(key)}`);

describe("a watch", () => {
  it("of a key tells of its sets and deletes, and of no other key", async () => {
    const watcher = await client();
    await watcher.result({ type: "watch", key: "one" });
    await put("one", "1");
    await put("one2", "x");
    await put("on", "x");
    await del("one");
    const { changes } = await changesOf(watcher, 2);
    expect(changes).toMatchObject([
      { event: "set", key: "one", expiresAtMs: null, etag: /^"/ },
      { event: "delete", key: "one" },
    ]);
    expect(changes[0]).not.toHaveProperty("value");
  });

  it("of a prefix tells of all its keys, with their values if they are wanted", async () => {
    const watcher = await client();
    await watcher.result({ type: "watch", prefix: "pre:", values: true });
    await put("pre:a", "1");
    await put("pre", "x");
    await put("pre:b", "é");
    const { changes } = await changesOf(watcher, 2);
    expect(changes).toMatchObject([
      { key: "pre:a", value: "1", encoding: "utf8" },
      { key: "pre:b", value: "é" },
    ]);
  });

  it("tells when what it watches expires, whether that was set before it began or later", async () => {
    await put("exp:old", "1", "?ttl=10s");
    await put("exp:kept", "1", "?ttl=10s");
    await put("single", "1", "?ttl=10s");
    const watcher = await client();
    await watcher.result({ type: "watch", prefix: "exp:" });
    await watcher.result({ type: "watch", key: "single" });
    await put("exp:new", "1", "?ttl=5s");
    await put("exp:kept", "2");
    expect(keysOf((await changesOf(watcher, 2)).changes)).toEqual(["set exp:new", "set exp:kept"]);
    region.clock.advance(11_000);
    const { changes } = await changesOf(watcher, 3);
    expect(new Set(keysOf(changes))).toEqual(
      new Set(["expire exp:new", "expire exp:old", "expire single"]),
    );
  });

  it("ends with `unwatch`, and its id is free again", async () => {
    const watcher = await client();
    await watcher.result({ id: "w", type: "watch", prefix: "un:" });
    watcher.send({ id: "w", type: "ping" });
    expect(await watcher.take()).toMatchObject({ id: null, error: { requestId: "w" } });
    await watcher.result({ type: "unwatch", watch: "w" });
    await put("un:a", "1");
    expect(await watcher.code({ id: "w", type: "ping" })).toBe("ok");
    expect(watcher.heard).toEqual([]);
    const watch = "w";
    expect(await watcher.code({ type: "unwatch", watch })).toBe("INVALID_ARGUMENT");
  });
});

describe("a request to watch", () => {
  it.each<[string, Told, string]>([
    ["of nothing", {}, "INVALID_ARGUMENT"],
    ["of both", { key: "a", prefix: "a" }, "INVALID_ARGUMENT"],
    ["of a reserved key", { key: "\u0000a" }, "INVALID_KEY"],
    ["of reserved keys", { prefix: "\u0000" }, "INVALID_KEY"],
    ["from what is no token", { prefix: "", resume: "nonsense" }, "INVALID_ARGUMENT"],
    ["at a position that is none", { prefix: "", position: "nonsense" }, "INVALID_POSITION"],
  ])("%s is refused", async (_, request, code) => {
    expect(await (await client()).code({ type: "watch", ...request })).toBe(code);
  });

  it("all keys tells of no reserved one", async () => {
    const watcher = await client();
    await watcher.result({ type: "watch", prefix: "" });
    await region.request("/revocations/somebody", { method: "PUT" });
    await put("visible", "1");
    expect(keysOf((await changesOf(watcher, 1)).changes)).toEqual(["set visible"]);
  });

  it("is one of a thousand of a connection, and one more is refused", async () => {
    const many = await client();
    for (let n = 0; n < 1_001; n += 1) many.send({ id: n, type: "watch", key: `many${n}` });
    const codes = new Map<unknown, number>();
    for (let n = 0; n < 1_001; n += 1) {
      const { type } = await many.take();
      codes.set(type, (codes.get(type) ?? 0) + 1);
    }
    expect(Object.fromEntries(codes)).toEqual({ result: 1_000, error: 1 });
    await put("many999", "1");
    expect(keysOf((await changesOf(many, 1)).changes)).toEqual(["set many999"]);
  });
});

describe("a client that comes back", () => {
  it("gets what it has missed, once and in order", async () => {
    const first = await client();
    await first.result({ type: "watch", prefix: "back:" });
    await put("back:a", "1");
    const { resume } = await changesOf(first, 1);
    first.close();
    await put("back:b", "2");
    await put("other", "2");
    await del("back:a");
    const second = await client();
    const began = await second.result({ type: "watch", prefix: "back:", resume });
    expect(began["resume"]).toBe(resume);
    const told = await changesOf(second, 2);
    expect(keysOf(told.changes)).toEqual(["set back:b", "delete back:a"]);
    await put("back:c", "3");
    const third = await client();
    await third.result({ type: "watch", prefix: "back:", resume: told.resume });
    expect(keysOf((await changesOf(third, 1)).changes)).toEqual(["set back:c"]);
  });

  it.each([
    ["of another node or cluster", "c1.12345.1"],
    ["of the future", undefined],
  ])("with a token %s is told to reload, and goes on", async (_, token) => {
    const watcher = await client();
    const { resume } = await watcher.result({ type: "watch", key: "unused" });
    const future = String(resume).replace(/\d+$/, "999999999");
    await watcher.result({ type: "watch", prefix: "re:", resume: token ?? future });
    const reload = await watcher.take(({ type }) => type === "reload");
    expect(reload).toMatchObject({ type: "reload", resume });
    await put("re:a", "1");
    expect(keysOf((await changesOf(watcher, 1)).changes)).toEqual(["set re:a"]);
  });
});

it("a consumer that is slow is told everything when it reads again, and others wait for nothing", async () => {
  const [slow, fast] = [await client(), await client()];
  await slow.result({ type: "watch", prefix: "slow:", values: true });
  await fast.result({ type: "watch", prefix: "slow:" });
  slow.socket.pause();
  const value = "v".repeat(500_000);
  for (let n = 0; n < 40; n += 1) await put(`slow:${n}`, value);
  const levels = (): Readonly<Record<string, number>> =>
    Object.fromEntries(region.node.metrics.levels().map(({ name, now }) => [name, now]));
  expect((await changesOf(fast, 40)).changes).toHaveLength(40);
  expect(levels()["webSocketBytes"]).toBeLessThan(6 * 1024 * 1024);
  slow.socket.resume();
  const { changes } = await changesOf(slow, 40);
  expect(keysOf(changes)).toEqual(Array.from({ length: 40 }, (_, n) => `set slow:${n}`));
});

it.each(["json", "binary"] as const)(
  "a watch with positions is told when it has been told everything, and at least once a second (%s)",
  async (tongue) => {
    const serverClock = new ManualClock();
    const node = await testNode({ serverClock });
    const watcher = await SocketClient.open(await node.serve(), {}, SOCKET_TONGUES[tongue]());
    onTestFinished(async () => {
      watcher.close();
      await node.close();
    });
    const set = async (): Promise<unknown> => (await watcher.ask(SET))["position"];
    const advance = (ms: number): void => {
      serverClock.advance(ms);
      node.clock.advance(ms);
    };
    advance(5_000);
    await set();
    watcher.send({ id: 50, type: "watch", prefix: "p:", positions: true });
    const positioned = (): Promise<Told> => watcher.take(({ type }) => type === "position");
    expect(await watcher.take(({ id }) => id === 50)).toMatchObject({ type: "result" });
    const nowMs = node.clock.nowMs();
    advance(25);
    const first = await positioned();
    expect(first).toMatchObject({ id: 50, elapsedMs: 25, nowMs: nowMs + 25 });
    const position = await set();
    expect(await watcher.take(({ id }) => id === 50)).toMatchObject({ type: "changes" });
    const second = await positioned();
    expect(second).toMatchObject({ id: 50, position, elapsedMs: 25 });
    expect(second["resume"]).not.toBe(first["resume"]);
    advance(1_050);
    expect(await positioned()).toMatchObject({ position, resume: second["resume"] });
    await watcher.result({ type: "unwatch", watch: 50 });
    advance(5_000);
    await watcher.result({ type: "ping" });
    expect(watcher.heard).toEqual([]);
  },
);
