/** The behaviours of hostile or broken peers on a replication link. */
import { MESSAGE_BYTES_MAX, TEXT_BYTES_MAX } from "@meridian/protocol";
import { heartbeatOf, helloOf } from "@meridian/testkit";

import type { Manner } from "./manners.ts";
import {
  BINARY,
  floods,
  frameOf,
  headOf,
  opened,
  PING,
  TEXT,
  upgradeOf,
} from "./web-socket-frames.ts";

const KIBIBYTE = 1024;

/** The upgrade request that opens a link. */
export const UPGRADE: Buffer = upgradeOf("/replicate");

function textOf(message: object): Buffer {
  return frameOf(TEXT, Buffer.from(JSON.stringify({ ...message, nowMs: Date.now() })));
}

let peers = 0;

/** A `hello` with an id that comes again and again, as that of a broken node does. */
function hello(place: object): Buffer {
  peers += 1;
  const name = peers % 400;
  const named = { nodeId: `odd-${name}`, incarnation: 1_000_000 + name, nowMs: 0 };
  return textOf({
    ...helloOf({ ...named, cluster: "meridian", features: [], status: "syncing" }),
    ...place,
  });
}

const HEARTBEAT = heartbeatOf({ status: "syncing", nowMs: 0 });

const ELSEWHERE = { logId: 9, epoch: 1, sequence: 1 };

/** The largest message that a link accepts, and the largest text: made once, because all peers send the same bytes. */
const largest: { frame?: Buffer; text?: Buffer } = {};

function largestFrame(): Buffer {
  return (largest.frame ??= frameOf(BINARY, Buffer.alloc(MESSAGE_BYTES_MAX, 1)));
}

function largestText(): Buffer {
  const keys = "k".repeat(TEXT_BYTES_MAX - KIBIBYTE);
  return (largest.text ??= textOf({ type: "offer", id: 1, from: null, to: keys, entries: [] }));
}

/** All behaviours on a link, by their names in reports. */
export const LINK_MANNERS: Readonly<Record<string, Manner>> = {
  "never sends the second half of a message": opened((socket) => {
    socket.write(hello({}));
    socket.write(headOf(BINARY, 32 * KIBIBYTE * KIBIBYTE));
    socket.write(Buffer.alloc(16 * KIBIBYTE * KIBIBYTE));
  }),
  "asks and never reads": opened((socket) => {
    socket.write(hello({}));
    socket.pause();
    floods(socket, () => textOf(HEARTBEAT));
  }),
  "asks small things without end": opened((socket) => {
    socket.write(hello({}));
    floods(socket, () => textOf({ type: "locate", incarnation: 1, position: 1 }));
  }),
  "changes its status without end": opened((socket) => {
    socket.write(hello({}));
    let turn = 0;
    floods(socket, () =>
      textOf({ ...HEARTBEAT, status: (turn += 1) % 2 === 0 ? "syncing" : "full" }),
    );
  }),
  "follows and asks without end": opened((socket) => {
    peers += 1;
    const place = { logId: 1_000_000 + peers, epoch: 1, head: 0, cursors: [] };
    socket.write(
      textOf({ type: "follow", versions: [1, 1], features: [], cluster: "meridian", ...place }),
    );
    floods(socket, () => textOf(HEARTBEAT));
  }),
  "compares without end": opened((socket) => {
    socket.write(hello({ cursors: [ELSEWHERE], home: ELSEWHERE }));
    socket.write(textOf({ type: "reconcile" }));
    let id = 0;
    const ranges = [{ to: null, count: 65_535, fingerprint: "0000000000000000" }];
    floods(socket, () => textOf({ type: "compare", id: (id += 1), from: null, ranges }));
  }),
  "sends a huge text before its greeting": opened((socket) => {
    socket.write(frameOf(TEXT, Buffer.alloc(3 * KIBIBYTE * KIBIBYTE, "[")));
  }),
  "sends the largest frames without end": opened((socket) => {
    socket.write(hello({}));
    floods(socket, largestFrame, 1);
  }),
  "sends the largest texts without end": opened((socket) => {
    socket.write(hello({}));
    floods(socket, largestText, 1);
  }),
  "pings without end": opened((socket) => {
    socket.pause();
    floods(socket, () => frameOf(PING, Buffer.alloc(125)));
  }),
};
