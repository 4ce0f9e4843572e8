import { once } from "node:events";
import { connect } from "node:net";
import { expect, it } from "vitest";
import { WebSocket } from "ws";

import { Metrics, silentLogger, systemClock } from "@meridian/runtime";
import { dialLink } from "@meridian/transport";

import { LinkBytes, type LinkAccount } from "../src/link-bytes.ts";

import { Recorder, startRig, type Rig } from "./rig.ts";

const options = { logger: silentLogger };

const MEBIBYTE = 1024 * 1024;

/** Opens a link, and sends the header of a frame of `length` bytes, but none of the bytes. Returns the socket. */
function beginMessage(rig: Rig, length: number): Promise<ReturnType<typeof connect>> {
  const socket = connect(rig.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(
    "GET /replicate HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
  );
  const header = Buffer.alloc(14);
  header.set([0x82, 0xff]);
  header.writeBigUInt64BE(BigInt(length), 2);
  return once(socket, "data").then(() => {
    socket.write(header);
    return socket;
  });
}

const heldBytesMax = 8 * MEBIBYTE;
/** Starts a rig whose links may hold `heldBytesMax`, with a recorder for each link that it accepts. */
async function startRecording(): Promise<{ readonly rig: Rig; readonly servers: Recorder[] }> {
  const servers: Recorder[] = [];
  const accept = (): Recorder => {
    const server = new Recorder();
    servers.push(server);
    return server;
  };
  return { rig: await startRig(accept, { heldBytesMax }), servers };
}

const held = (rig: Rig): number => rig.metrics.levels()[0]?.now ?? NaN;

it("all links together hold at most the bound: links with half messages that do not move on are cut, and no others", async () => {
  const { rig, servers } = await startRecording();
  expect(rig.metrics.levels()[0]).toEqual({
    name: "heldLinkBytes",
    now: 0,
    max: heldBytesMax,
  });
  const begun = await Promise.all(
    Array.from({ length: 3 }, () => beginMessage(rig, 60 * MEBIBYTE)),
  );
  const halves = [...servers];
  for (const socket of begun) socket.write(Buffer.alloc(2 * MEBIBYTE));
  const whole = new Recorder();
  const link = dialLink(rig.url, whole, options);
  await whole.until(() => whole.events.includes("open"));
  // These messages would exceed the bound beside the halves, if they were kept.
  for (let index = 0; index < 32; index += 1) link.send(new Uint8Array(MEBIBYTE));
  begun[0]?.write(Buffer.alloc(4 * MEBIBYTE));
  await servers[3]?.received(32);
  await Promise.race(halves.map((server) => server.closed()));
  const ends = halves.flatMap(({ events }) => events.filter((each) => each.startsWith("close")));
  expect(ends).not.toEqual([]);
  for (const end of ends) expect(end).toMatch(/^close 4413 Expected messages on links to move on/);
  expect(held(rig)).toBeLessThanOrEqual(heldBytesMax);
  expect(servers[3]).not.toSatisfy(isClosed);
  for (const socket of begun) socket.destroy();
  await Promise.all(halves.map((server) => server.closed()));
  link.close(1000, "");
  await Promise.all([whole.closed(), servers[3]?.closed()]);
  expect(held(rig)).toBe(0);
});

it("a frame that is sent to many links counts once, and unread bytes count until a link is cut", async () => {
  const { rig, servers } = await startRecording();
  const peers = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const peer = new WebSocket(rig.url);
      peer.on("error", () => {});
      await once(peer, "open");
      peer.pause();
      return peer;
    }),
  );
  const links = rig.accepted.map(({ link }) => link);
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const isCut = (): boolean => servers.some(isClosed);
  // The operating system buffers some mebibytes before bytes wait in the process.
  const unread = (): number => Math.min(...links.map(({ bufferedBytes }) => bufferedBytes));
  for (let sent = 0; sent < 64 && unread() < 2 * MEBIBYTE; sent += 1) {
    const frame = new Uint8Array(MEBIBYTE);
    for (const link of links) link.send(frame);
    await turn();
  }
  const sum = links.reduce((bytes, { bufferedBytes }) => bytes + bufferedBytes, 0);
  expect(sum).toBeGreaterThan(heldBytesMax);
  expect(held(rig)).toBeLessThan(heldBytesMax);
  expect(isCut()).toBe(false);
  for (let sent = 0; sent < 256 && !isCut(); sent += 1) {
    for (const link of links) link.send(new Uint8Array(256 * 1024));
    await turn();
  }
  expect(isCut()).toBe(true);
  expect(held(rig)).toBeLessThanOrEqual(heldBytesMax);
  for (const peer of peers) peer.terminate();
  await Promise.all(servers.map((server) => server.closed()));
  expect(held(rig)).toBe(0);
});

it("what a cut link has shared with others counts for the others alone", () => {
  const metrics = new Metrics();
  const bytes = new LinkBytes(systemClock, metrics, heldBytesMax);
  const begin = (): { readonly account: LinkAccount; readonly link: { bufferedBytes: number } } => {
    const link = { bufferedBytes: 0, waitingBytes: 0, cut: () => {} };
    const account = bytes.follow(link);
    link.cut = () => {
      link.bufferedBytes = 0;
      account.end();
    };
    return { account, link };
  };
  const links = Array.from({ length: 8 }, begin);
  const send = (frame: Uint8Array, { account, link }: (typeof links)[number]): void => {
    account.sends(frame);
    link.bufferedBytes += frame.byteLength;
    account.sent(frame.byteLength);
  };
  for (let sent = 0; sent < 6; sent += 1) {
    const frame = new Uint8Array(MEBIBYTE);
    for (const each of links) send(frame, each);
  }
  const now = (): number => metrics.levels()[0]?.now ?? NaN;
  expect(now()).toBe(6 * MEBIBYTE);
  // All links but the first get the frames that exceed the bound, so one of them is cut.
  for (const each of links.slice(1)) {
    send(new Uint8Array(MEBIBYTE / 2), each);
    expect(now()).toBeLessThanOrEqual(heldBytesMax);
  }
  expect(links.some(({ link }) => link.bufferedBytes === 0)).toBe(true);
});

function isClosed({ events }: Recorder): boolean {
  return events.some((event) => event.startsWith("close"));
}
