import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { expect, it } from "vitest";
import { WebSocket } from "ws";

import { silentLogger } from "@meridian/runtime";
import { dialLink } from "@meridian/transport";

import { Recorder, startRig } from "./rig.ts";

const options = { logger: silentLogger };

/** How many messages of a link one turn hands over at most. */
const SHARE_MESSAGES = 128;

/** Counts messages by the turn of the event loop in which they come. */
class TurnCounts {
  /** How many messages came in each turn that is over and in which any came. */
  readonly perTurn: number[] = [];
  #inTurn = 0;

  add(): void {
    if (this.#inTurn === 0) {
      setImmediate(() => {
        this.perTurn.push(this.#inTurn);
        this.#inTurn = 0;
      });
    }
    this.#inTurn += 1;
  }
}

it("one of many flooding links is read in each turn, and a link that sends little is heard soon", async () => {
  const floods = 20;
  const each = 1_000;
  const counts = new TurnCounts();
  const { perTurn } = counts;
  let flooded = 0;
  let floodedWhenHeard = Infinity;
  const servers: Recorder[] = [];
  const rig = await startRig(() => {
    const server = new Recorder({
      onMessage: (message) => {
        if (message === "polite") {
          floodedWhenHeard = Math.min(floodedWhenHeard, flooded);
          return;
        }
        flooded += 1;
        counts.add();
      },
    });
    servers.push(server);
    return server;
  });
  const clients = Array.from({ length: floods + 1 }, () => new Recorder());
  const links = clients.map((client) => dialLink(rig.url, client, options));
  await Promise.all(clients.map((client) => client.until(() => client.events.length > 0)));
  for (const link of links.slice(1)) {
    for (let index = 0; index < each; index += 1) link.send("flood");
  }
  links[0]?.send("polite");
  for (const link of links) link.close(1000, "");
  await Promise.all(servers.map((server) => server.closed()));
  await new Promise((resolve) => setImmediate(resolve));
  // All messages that a link sent before it closed are handed over.
  expect(flooded).toBe(floods * each);
  expect(floodedWhenHeard).toBeLessThan((floods * each) / 4);
  // Once all have used up their first share, each turn serves one of them.
  const first = perTurn.findIndex(
    (_, index) => sum(perTurn.slice(0, index + 1)) >= floods * SHARE_MESSAGES,
  );
  expect(Math.max(...perTurn.slice(first + 1))).toBeLessThanOrEqual(2 * SHARE_MESSAGES);
});

it("a link that its server floods is read over many turns, between which other work runs", async () => {
  const counts = new TurnCounts();
  const { perTurn } = counts;
  const rig = await startRig(() => new Recorder());
  const client: Recorder = new Recorder({
    onMessage: () => counts.add(),
  });
  const link = dialLink(rig.url, client, options);
  await client.until(() => client.events.includes("open"));
  for (let index = 0; index < 5_000; index += 1) rig.accepted[0]?.link.send("flood");
  await client.received(5_000);
  expect(perTurn.length).toBeGreaterThan(15);
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(2 * SHARE_MESSAGES);
  link.close(1000, "");
  await client.closed();
});

it("one turn hands over few large messages, however many have arrived", async () => {
  const bytes = 16 * 1024;
  const counts = new TurnCounts();
  const { perTurn } = counts;
  const rig = await startRig(() => new Recorder());
  const client: Recorder = new Recorder({
    onMessage: () => counts.add(),
  });
  const link = dialLink(rig.url, client, options);
  await client.until(() => client.events.includes("open"));
  for (let index = 0; index < 256; index += 1) rig.accepted[0]?.link.send(new Uint8Array(bytes));
  await client.received(256);
  // Two reads of the socket in one turn, and for each the message that exceeds the bound.
  expect(Math.max(...perTurn) * bytes).toBeLessThanOrEqual(2 * (64 * 1024 + bytes));
  link.close(1000, "");
  await client.closed();
});

it("one turn hands over few messages that take long", async () => {
  let elapsedMs = 0;
  const clock = { elapsedMs: () => elapsedMs };
  let [inTurn, most] = [0, 0];
  const rig = await startRig(() => new Recorder());
  const client: Recorder = new Recorder({
    onMessage: () => {
      elapsedMs += 5;
      if (inTurn === 0) setImmediate(() => (inTurn = 0));
      inTurn += 1;
      most = Math.max(most, inTurn);
    },
  });
  const link = dialLink(rig.url, client, { ...options, clock });
  await client.until(() => client.events.includes("open"));
  for (let index = 0; index < 100; index += 1) rig.accepted[0]?.link.send("long");
  await client.received(100);
  // One as it is read, and one whose turn it is.
  expect(most).toBeLessThanOrEqual(2);
  link.close(1000, "");
  await client.closed();
});

it("all messages of a peer that then breaks the connection are handed over before the close", async () => {
  const server: Recorder = new Recorder();
  const rig = await startRig(() => server);
  const peer = new WebSocket(rig.url);
  await once(peer, "open");
  for (let index = 0; index < 1_000; index += 1) peer.send(String(index));
  await new Promise((resolve) => peer.send("last", resolve));
  peer.close(1000);
  await server.closed();
  expect(server.messages).toHaveLength(1_001);
  expect(server.events.at(-1)).toBe("close 1000");
  expect(server.events.at(-2)).toBe("message");
});

it("a paused link hands nothing over until it is resumed", async () => {
  let isPaused = false;
  let whilePaused = 0;
  const server: Recorder = new Recorder({
    onMessage: (message) => {
      if (isPaused) whilePaused += 1;
      if (message !== "stop") return;
      isPaused = true;
      rig.accepted[0]?.link.pause();
      setImmediate(() => {
        isPaused = false;
        rig.accepted[0]?.link.resume();
      });
    },
  });
  const rig = await startRig(() => server);
  const client: Recorder = new Recorder();
  const link = dialLink(rig.url, client, options);
  await client.until(() => client.events.includes("open"));
  for (let index = 0; index < 10; index += 1) {
    link.send("stop");
    link.send("behind it");
  }
  await server.received(20);
  expect(whilePaused).toBe(0);
  link.close(1000, "");
  await client.closed();
});

it("answers pings, and closes a link on which they come without end", async () => {
  const server: Recorder = new Recorder();
  const rig = await startRig(() => server);
  const peer = new WebSocket(rig.url);
  let pongs = 0;
  peer.on("pong", () => (pongs += 1));
  await once(peer, "open");
  for (let round = 0; round < 3; round += 1) {
    for (let index = 0; index < 128; index += 1) peer.ping(String(index));
    peer.send("a message between");
  }
  await server.received(3);
  for (let index = 0; index < 129; index += 1) peer.pong();
  const [code, reason] = (await once(peer, "close")) as [number, Buffer];
  expect(code).toBe(4400);
  expect(reason.toString()).toBe(
    "Expected at most 128 pings and pongs between two messages, got one more",
  );
  expect(pongs).toBe(3 * 128);
  expect(server.messages).toHaveLength(3);
});

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

it("`onPart` is called while a large message arrives, and not for small ones", async () => {
  const server: Recorder = new Recorder();
  const rig = await startRig(() => server);
  const asked = request({
    port: rig.port,
    path: "/replicate",
    headers: {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": Buffer.alloc(16).toString("base64"),
    },
  });
  asked.end();
  const [, socket] = (await once(asked, "upgrade")) as [IncomingMessage, Socket];
  for (let count = 0; count < 8; count += 1) socket.write(binaryFrame(32 * 1024));
  await server.received(8);
  expect(server.parts).toBe(0);
  const frame = binaryFrame(320 * 1024);
  const piece = 64 * 1024;
  for (let at = 0; at < 4; at += 1) {
    socket.write(frame.subarray(at * piece, (at + 1) * piece));
    await server.until(() => server.parts > at);
  }
  expect(server.messages).toHaveLength(8);
  socket.write(frame.subarray(4 * piece));
  await server.received(9);
  // The last part may arrive in two pieces.
  expect(server.parts).toBeLessThanOrEqual(5);
  socket.destroy();
  await server.closed();
});

/** A client's frame of `bytes` bytes, with a mask of zeros, which changes no byte. */
function binaryFrame(bytes: number): Buffer {
  const head = Buffer.alloc(14);
  head[0] = 0x82;
  head[1] = 0xff;
  head.writeBigUInt64BE(BigInt(bytes), 2);
  return Buffer.concat([head, Buffer.alloc(bytes)]);
}
