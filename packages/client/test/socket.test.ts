import { spawn } from "node:child_process";
import { once } from "node:events";
import { Socket } from "node:net";

import { MeridianError, type ErrorCode } from "@meridian/protocol";
import { seededRandom } from "@meridian/runtime";
import { expect, onTestFinished, test, vi } from "vitest";

import { connect, type ConnectOptions, type MeridianClient } from "../src/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { failure, openScene, timed, TRANSPORTS } from "./scene.ts";
import type { SocketListener } from "./socket-listener.ts";
import { Listener, problem, World, type FakeNode } from "./world.ts";

interface Party {
  readonly node: FakeNode;
  readonly server: Listener;
  readonly url: string;
}

async function openParty(takesWebSockets = true): Promise<Party> {
  const node = new World().addNode("one");
  const server = new Listener((call) => node.answer(call), takesWebSockets);
  const url = await server.start();
  onTestFinished(() => server.kill());
  return { node, server, url };
}

function socketsOf({ server: { webSockets } }: Party): SocketListener {
  if (webSockets === undefined) throw new Error("Expected a server that takes WebSockets");
  return webSockets;
}

async function clientOf(
  { url }: Party,
  options: Partial<ConnectOptions> = {},
): Promise<MeridianClient> {
  const client = await connect({ nodes: [url], ...options });
  onTestFinished(() => client.close());
  return client;
}

/** Reads until reads go over a WebSocket. */
async function warm(client: MeridianClient): Promise<void> {
  for (let read = 0; client.status().nodes[0]?.transport !== "websocket"; read += 1) {
    expect(read).toBeLessThan(10_000);
    await client.get("key");
  }
}

test("the first request goes over HTTP, and later ones over one WebSocket", async () => {
  const party = await openParty();
  const client = await clientOf(party);
  const told: unknown[] = [];
  client.on("transport", ({ transport }) => told.push(transport));
  await client.set("key", 1);
  expect([client.status().nodes[0]?.transport, party.server.webSockets?.opened]).toEqual([
    "http",
    0,
  ]);
  await warm(client);
  const before = party.server.requests;
  await Promise.all([client.get("key"), client.set("other", 2), client.has("key")]);
  expect(await client.getMany(["key", "other", "none"])).toEqual(
    new Map([
      ["key", 1],
      ["other", 2],
    ]),
  );
  expect([party.server.requests, party.server.webSockets?.opened]).toEqual([before, 1]);
  expect(told).toEqual(["websocket"]);
});

test("a node without WebSockets is asked over HTTP, and seldom for one", async () => {
  const party = await openParty(false);
  const client = await clientOf(party);
  await client.set("key", 1);
  for (let read = 0; read < 30; read += 1) expect(await client.get("key")).toBe(1);
  expect(client.status().nodes[0]?.transport).toBe("http");
  expect(party.node.calls.filter(({ path }) => path === "/ws")).toHaveLength(1);
});

test("another fetch, or `http`, keeps to HTTP; another word is refused", async () => {
  const party = await openParty();
  const options = [{ transport: "http" }, { fetch: globalThis.fetch }] as const;
  for (const given of options) {
    const client = await clientOf(party, given);
    for (let read = 0; read < 5; read += 1) await client.get("key");
  }
  expect(party.server.webSockets?.opened).toBe(0);
  // @ts-expect-error It is none of the three transports.
  const odd = failure(connect({ nodes: [party.url], transport: "udp" }));
  expect((await odd).code).toBe("INVALID_ARGUMENT");
});

test("a large value goes over HTTP", async () => {
  const party = await openParty();
  const client = await clientOf(party, { transport: "websocket" });
  const before = party.server.requests;
  await client.set("key", new Uint8Array(300_000));
  expect(party.server.requests).toBe(before + 1);
  expect(await client.get("key")).toHaveLength(300_000);
  expect(party.server.requests).toBe(before + 1);
});

test("the token is shown first, and the next one on the same connection", async () => {
  const party = await openParty();
  let token = "first";
  const client = await clientOf(party, { transport: "websocket", token: () => token });
  await client.set("key", 1);
  await client.get("key");
  token = "second";
  await client.get("key");
  const { tokens, opened } = party.server.webSockets ?? {};
  expect([tokens, opened]).toEqual([["first", "second"], 1]);
});

test.each([1001, 4416])(
  "what is under way when a node closes with %i goes over HTTP",
  async (code) => {
    const party = await openParty();
    const client = await clientOf(party, { transport: "websocket" });
    await client.set("key", 1);
    let release = (): void => {};
    party.server.holding = new Promise((resolve) => {
      release = resolve;
    });
    const before = party.node.served;
    const reading = client.get("key");
    const writing = client.set("key", 2, { ifAbsent: true }).catch((cause: unknown) => cause);
    await party.node.received(3);
    party.server.holding = undefined;
    party.server.webSockets?.close(code);
    expect(await reading).toBe(1);
    // A node that stops has answered what it had begun. After another code, the write may have been done.
    const expected = code === 1001 ? "PRECONDITION_FAILED" : "OUTCOME_UNKNOWN";
    expect(await writing).toMatchObject({ code: expected });
    release();
    expect(party.node.served).toBeGreaterThan(before);
    expect(await client.get("key")).toBe(1);
    expect(party.server.webSockets?.opened).toBe(2);
  },
);

test("a call that is a part of something says so over a WebSocket, and over HTTP to a node that is older", async () => {
  const party = await openParty();
  const client = await clientOf(party, { transport: "websocket" });
  await client.set("key", 1);
  const REGISTERED = Symbol.for("opentelemetry.js.api.1");
  const span = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };
  const active = (): object => ({ getValue: () => ({ spanContext: () => span }) });
  Object.assign(globalThis, { [REGISTERED]: { context: { active } } });
  onTestFinished(() => void Reflect.deleteProperty(globalThis, REGISTERED));
  const traceparent = `00-${span.traceId}-${span.spanId}-01`;
  const told = (): unknown => party.node.calls.at(-1)?.headers["traceparent"];
  expect([await client.get("key"), told(), party.server.requests]).toEqual([1, traceparent, 0]);
  socketsOf(party).unknown = ["traceparent"];
  for (const requests of [1, 2]) {
    expect([await client.get("key"), told()]).toEqual([1, traceparent]);
    expect(party.server.requests).toBe(requests);
  }
  Reflect.deleteProperty(globalThis, REGISTERED);
  expect([await client.get("key"), told(), party.server.requests]).toEqual([1, undefined, 2]);
});

test("a write over a WebSocket has a deadline by the time that the node tells over it", async () => {
  const party = await openParty();
  const nowMs = Date.UTC(2100, 0);
  socketsOf(party).nowMs = nowMs;
  const client = await clientOf(party, { transport: "websocket", attemptMs: 60_000 });
  const told = (): number => Number(party.node.calls.at(-1)?.headers["meridian-deadline"]);
  await client.set("key", 1);
  expect(told()).toBeLessThan(nowMs);
  await client.set("key", 2);
  expect(told()).toBeGreaterThan(nowMs);
  expect(party.server.requests).toBe(0);
});

test("a node that is older gets its writes over a WebSocket without a deadline, and the first one over HTTP", async () => {
  const party = await openParty();
  socketsOf(party).unknown = ["deadlineMs"];
  const client = await clientOf(party, { transport: "websocket" });
  const told = (): unknown => party.node.calls.at(-1)?.headers["meridian-deadline"];
  await client.set("key", 1);
  expect([told(), party.server.requests]).toEqual([expect.any(String), 1]);
  await client.set("key", 2);
  expect([told(), party.server.requests]).toEqual([undefined, 1]);
});

test("close ends calls under way, and the connection", async () => {
  const party = await openParty();
  const client = await clientOf(party, { transport: "websocket" });
  await client.set("key", 1);
  party.server.holding = new Promise(() => {});
  const calls = [failure(client.get("key")), failure(client.set("key", 2))];
  await party.node.received(3);
  client.close();
  for (const { code } of await Promise.all(calls)) expect(code).toBe("CLIENT_CLOSED");
  await party.server.empty();
});

test("an idle connection keeps no process alive, and a call under way does", async () => {
  const party = await openParty();
  const program = `
    const { connect } = await import(${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)});
    // On a busy machine, loading takes longer than a node may be silent.
    await import(${JSON.stringify(new URL("../src/socket/open-socket.ts", import.meta.url).href)});
    const cache = await connect({ nodes: [${JSON.stringify(party.url)}], transport: "websocket" });
    await cache.set("key", 7);
    console.log(await cache.get("key"), cache.status().nodes[0].transport);
  `;
  const options = ["--conditions=@meridian/source", "--import", "tsx", "--input-type=module"];
  const child = spawn(process.execPath, [...options, "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, "exit")) as [number];
  expect([code, said]).toEqual([0, "7 websocket\n"]);
});

/** Errors that a node answers with before it looks at the position of a request. */
const UNADMITTED: readonly ErrorCode[] = [
  "RATE_LIMITED",
  "INVALID_ARGUMENT",
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "ROUTE_NOT_FOUND",
  "VALUE_TOO_LARGE",
  "INTERNAL",
];

test.each(UNADMITTED.flatMap((code) => TRANSPORTS.map((transport) => [code, transport] as const)))(
  "after %s of another node, a read still waits for what was written (%s)",
  async (code, transport) => {
    const { near, far, clock, client } = await openScene({ transport, deadlineMs: 2_000 });
    await client.set("key", "mine");
    near.mood = "draining";
    far.scripted.push(problem(new MeridianError(code, "as the test wants")));
    const codes: unknown[] = [];
    for (let read = 0; read < 2; read += 1) {
      codes.push((await timed(clock, failure(client.get("key")))).value.code);
    }
    expect(codes[1]).toBe("POSITION_NOT_REACHED");
    expect(far.scripted).toEqual([]);
  },
);

test("a connection that ends while a node is asked for a position says nothing of the write", async () => {
  const { world, near, far, farServer, client } = await openScene({ transport: "websocket" });
  // Positions in two logs: the next node is asked for the one, and gets the other with the write.
  for (const logId of [1, 2]) {
    for (const node of [near, far]) node.logId = logId;
    await client.set(`key ${logId}`, 1);
    world.replicate();
  }
  near.mood = "draining";
  let release = (): void => {};
  farServer.holding = new Promise((resolve) => {
    release = resolve;
  });
  const writing = client.set("key", 2, { ifAbsent: true });
  await far.received(1);
  expect(far.calls[0]?.method).toBe("GET");
  farServer.holding = undefined;
  farServer.webSockets?.close(4416);
  expect(await writing).toMatchObject({ key: "key" });
  release();
});

/** Reads again and again while time moves on. */
async function readOn(client: MeridianClient, clock: FakeClock, forMs: number): Promise<void> {
  for (let passedMs = 0; passedMs < forMs; passedMs += 50) {
    await client.get("key");
    clock.advance(50);
  }
}

test.each([503, 429, 500, 404, 403])(
  "a node that answers an upgrade with %i is asked again soon if it may have one later",
  async (status) => {
    const party = await openParty();
    const webSockets = socketsOf(party);
    const clock = new FakeClock();
    const client = await clientOf(party, { clock });
    webSockets.refusing = status;
    await readOn(client, clock, 500);
    expect(webSockets.refused).toBe(1);
    webSockets.refusing = undefined;
    await readOn(client, clock, 5_000);
    expect(webSockets.opened).toBe(status >= 500 || status === 429 ? 1 : 0);
    clock.advance(300_000);
    await readOn(client, clock, 500);
    expect(webSockets.opened).toBeGreaterThan(0);
  },
);

test("where only WebSockets may be used, a broken one is opened anew at once", async () => {
  const party = await openParty();
  const clock = new FakeClock();
  const client = await clientOf(party, { transport: "websocket", clock });
  await client.set("key", 1);
  party.server.webSockets?.close();
  while (client.status().nodes[0]?.transport === "websocket") await new Promise(setImmediate);
  const circuits: string[] = [];
  client.on("node", ({ circuit }) => circuits.push(circuit));
  expect((await timed(clock, client.get("key"))).value).toBe(1);
  expect(circuits).toEqual([]);
});

test("where only WebSockets may be used, a call waits until one may be opened", async () => {
  const party = await openParty();
  const webSockets = socketsOf(party);
  const clock = new FakeClock();
  const client = await clientOf(party, { transport: "websocket", clock, random: seededRandom(1) });
  const circuits: string[] = [];
  client.on("node", ({ circuit }) => circuits.push(circuit));
  webSockets.refusing = 503;
  const read = timed(clock, client.get("key"));
  while (webSockets.refused === 0) await new Promise(setImmediate);
  webSockets.refusing = undefined;
  expect((await read).value).toBeUndefined();
  expect(circuits).toEqual(["open", "half-open", "closed"]);
});

test("a platform that throws instead of opening a WebSocket is asked over HTTP", async () => {
  // Not taken for Node.js, whose own WebSockets are not the platform's.
  vi.stubGlobal("Deno", {});
  const dialled = vi.fn<(url: string) => void>();
  vi.stubGlobal(
    "WebSocket",
    class {
      constructor(url: string) {
        dialled(url);
        throw new Error("The page was loaded over HTTPS");
      }
    },
  );
  onTestFinished(() => void vi.unstubAllGlobals());
  const party = await openParty();
  const clock = new FakeClock();
  const client = await clientOf(party, { clock });
  await client.set("key", 1);
  await readOn(client, clock, 15_000);
  expect(dialled).toHaveBeenCalledOnce();
  expect(await client.get("key")).toBe(1);
});

test("a request that waits behind others is not repeated while these are answered", async () => {
  const party = await openParty();
  const clock = new FakeClock();
  const limits = { attemptMs: 1_000, deadlineMs: 20_000 };
  const client = await clientOf(party, { transport: "websocket", clock, ...limits });
  await client.set("late", 1);
  let release = (): void => {};
  party.server.holding = new Promise((resolve) => {
    release = resolve;
  });
  const reading = client.get("late");
  await party.node.received(2);
  party.server.holding = undefined;
  await readOn(client, clock, 4_000);
  release();
  expect(await reading).toBe(1);
  const reads = party.node.calls.filter(
    ({ path, method }) => path === "/cache/late" && method === "GET",
  );
  expect(reads).toHaveLength(1);
});

test("a connection that is being opened keeps the process alive until nobody waits for it", async () => {
  const party = await openParty();
  const webSockets = socketsOf(party);
  webSockets.refusing = "hung";
  const client = await clientOf(party, { transport: "websocket" });
  const aborts = [new AbortController(), new AbortController()] as const;
  const calls = aborts.map(({ signal }, index) =>
    client.set(`key ${index}`, 1, { signal }).catch((cause: unknown) => cause),
  );
  while (webSockets.refused === 0) await new Promise(setImmediate);
  const unref = vi.spyOn(Socket.prototype, "unref");
  onTestFinished(() => unref.mockRestore());
  aborts[0].abort();
  await calls[0];
  expect(unref).not.toHaveBeenCalled();
  aborts[1].abort();
  await calls[1];
  expect(unref).toHaveBeenCalled();
});

test("a connection over which a ping gets no answer is replaced", async () => {
  const party = await openParty();
  const webSockets = socketsOf(party);
  const clock = new FakeClock();
  const client = await clientOf(party, { clock });
  await warm(client);
  webSockets.isMute = true;
  for (const opened of [1, 2]) {
    clock.advance(10_000);
    await readOn(client, clock, 500);
    expect(webSockets.opened).toBe(opened);
  }
  expect(client.status().nodes[0]?.transport).toBe("websocket");
});
