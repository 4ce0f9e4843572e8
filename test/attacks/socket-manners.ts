/** The behaviours of hostile or broken clients on a region's WebSocket. */
import { SOCKET_PATH, SOCKET_PROTOCOL } from "@meridian/protocol/socket-api";

import type { Manner } from "./manners.ts";
import { LARGE_KEYS } from "./requests.ts";
import { floods, frameOf, headOf, opened, PING, TEXT, upgradeOf } from "./web-socket-frames.ts";

const MEBIBYTE = 1024 * 1024;
const WATCHES = 1_000;

/** The upgrade request that opens a WebSocket of a client. */
export const SOCKET_UPGRADE: Buffer = upgradeOf(SOCKET_PATH, SOCKET_PROTOCOL);

let ids = 0;

function ask(request: object): Buffer {
  ids += 1;
  return frameOf(TEXT, Buffer.from(JSON.stringify({ id: ids, ...request })));
}

const value = "v".repeat(64 * 1024);
const set = (): Buffer => ask({ type: "set", key: `socket/${ids % 100}`, value });
const getMany = (): Buffer => ask({ type: "getMany", keys: LARGE_KEYS.slice(0, 1) });

/** All behaviours, by their names in reports. */
export const SOCKET_MANNERS: Readonly<Record<string, Manner>> = {
  "never sends the second half of a message": opened((socket) => {
    socket.write(headOf(TEXT, 2 * MEBIBYTE));
    socket.write(Buffer.alloc(MEBIBYTE, "["));
  }),
  "asks for large values and never reads": opened((socket) => {
    socket.pause();
    floods(socket, () => ask({ type: "get", key: "nul/0" }));
  }),
  "asks for many keys without end": opened((socket) => floods(socket, getMany, 4)),
  "asks small things without end": opened((socket) => floods(socket, () => ask({ type: "ping" }))),
  "writes without end and never reads": opened((socket) => {
    socket.pause();
    floods(socket, set, 4);
  }),
  "watches a thousand times and never reads": opened((socket) => {
    for (let index = 0; index < WATCHES; index += 1)
      socket.write(ask({ type: "watch", prefix: "", values: true }));
    socket.pause();
    floods(socket, set, 1);
  }),
  "sends brackets without end": opened((socket) => {
    const brackets = frameOf(TEXT, Buffer.alloc(MEBIBYTE, "["));
    floods(socket, () => brackets, 1);
  }),
  "pings without end": opened((socket) => {
    socket.pause();
    floods(socket, () => frameOf(PING, Buffer.alloc(125)));
  }),
};
