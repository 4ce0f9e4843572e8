/**
 * Connections whose reads a link takes in place. Node.js allocates 64 KiB for each read of a connection, and makes objects of what has come, which for one small
 * message costs more than to handle it. Here all reads go into the same memory, and what is not taken there is copied and goes on as an ordinary chunk.
 */
import { connect, type NetConnectOpts, type OnReadOpts, type Socket } from "node:net";
import type { Duplex } from "node:stream";

/** What node:net gives to each read of its own. */
const READ_BYTES = 64 * 1024;

/** All connections are of one thread, and nothing is read while one is told of a read. */
const shared = Buffer.allocUnsafeSlow(READ_BYTES);

/** A connection that offers what it reads before it makes a chunk of that. */
export interface ReadInPlace {
  /** Gets what was read, in memory that the next read is written over. Returns whether that is taken; if not, it goes on as an ordinary chunk. */
  onRead: ((bytes: Buffer) => boolean) | undefined;
}

/** Whether a connection offers its reads. */
export function isReadInPlace(wire: Duplex): wire is Duplex & ReadInPlace {
  return "onRead" in wire;
}

/** Opens a connection that offers its reads. For a request to a host and a port. */
export function connectInPlace(options: NetConnectOpts): Socket {
  const onread: OnReadOpts = {
    buffer: shared,
    callback: (count) => pass(socket, shared.subarray(0, count)),
  };
  // The path of a request would be taken for that of a local socket.
  const plain = { ...options, path: undefined, onread } as unknown as NetConnectOpts;
  const offered: ReadInPlace = { onRead: undefined };
  const socket = Object.assign(connect(plain), offered);
  return socket;
}

/** Returns whether to read on. */
function pass(socket: Socket & ReadInPlace, bytes: Buffer): boolean {
  const { onRead } = socket;
  // What has come before is handed on before.
  const isTaken = onRead !== undefined && socket.readableLength === 0 && onRead(bytes);
  return isTaken || socket.push(copyOf(bytes));
}

function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.byteLength);
  copy.set(bytes);
  return copy;
}
