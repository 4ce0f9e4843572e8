/** What hostile or broken clients do on any WebSocket. */
import type { Socket } from "node:net";

import type { Manner } from "./manners.ts";

const KIBIBYTE = 1024;
export const TEXT = 1;
export const BINARY = 2;
export const PING = 9;
const STEP_MS = 10;
/** Messages that are sent at one step. */
const BURST = 64;

/** The upgrade request that opens a WebSocket at a path. */
export function upgradeOf(path: string, protocol?: string): Buffer {
  return Buffer.from(
    [
      `GET ${path} HTTP/1.1`,
      "Host: 127.0.0.1",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
      "",
      "",
    ].join("\r\n"),
  );
}

/** The header of a WebSocket frame with the mask 0, which leaves the payload unchanged. */
export function headOf(opcode: number, length: number): Buffer {
  const head = Buffer.alloc(14);
  head[0] = 0x80 | opcode;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

export function frameOf(opcode: number, payload: Buffer): Buffer {
  if (opcode !== PING) return Buffer.concat([headOf(opcode, payload.length), payload]);
  return Buffer.concat([Buffer.from([0x80 | PING, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

/** Opens a WebSocket, and then does something. */
export function opened(behave: (socket: Socket) => void): Manner {
  return (socket, upgrade) => {
    socket.resume();
    socket.write(upgrade);
    socket.once("data", () => behave(socket));
  };
}

/** Sends a message again and again, as fast as the socket accepts it. */
export function floods(socket: Socket, message: () => Buffer, burst = BURST): void {
  const timer = setInterval(() => {
    if (socket.writableLength > KIBIBYTE * KIBIBYTE) return;
    for (let index = 0; index < burst; index += 1) socket.write(message());
  }, STEP_MS);
  socket.once("close", () => clearInterval(timer));
}
