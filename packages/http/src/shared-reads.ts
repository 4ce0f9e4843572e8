/**
 * Connections that are read into memory which all of them share. Node.js allocates 64 KiB for each read of a connection, and makes objects of what has come: for
 * a request of a hundred bytes that costs as much as answering it. Here a read is passed on in place, to whoever is done with it at once. Everybody else
 * gets a copy, as an ordinary chunk: so node:http and WebSockets find an ordinary connection.
 *
 * Node.js reads so (`onread`) only from connections that a program opens, not from those that a server accepts. So one that was accepted is put into another
 * object, which is made as node:net makes its own.
 */
import { Socket, type OnReadOpts, type SocketConstructorOpts } from "node:net";

/** What node:net gives to each read of its own. */
const READ_BYTES = 64 * 1024;

/** All connections are of one thread, and nothing is read while one is told of a read. */
const shared = Buffer.allocUnsafeSlow(READ_BYTES);

/** What node:net keeps of a connection. */
interface Inside {
  _handle: { readonly useUserBuffer?: unknown } | null;
  _server?: unknown;
}

type SocketOptions = SocketConstructorOpts & {
  readonly handle: object;
  readonly onread: OnReadOpts;
};

/** Gets what was read, in place: the next read is written over it. Returns whether it is done with that; if not, it goes on as an ordinary chunk. */
export type OnRead = (bytes: Buffer) => boolean;

/** A connection of which reads can be taken in place. */
export class SharedReadSocket extends Socket {
  /** Gets reads instead of the listeners of `data`, unless earlier chunks wait for these. */
  onRead: OnRead | undefined;

  constructor(handle: object) {
    const made: { socket?: SharedReadSocket } = {};
    const callback = (count: number): boolean =>
      made.socket === undefined || made.socket.#pass(shared.subarray(0, count));
    const options: SocketOptions = {
      handle,
      allowHalfOpen: true,
      readable: true,
      writable: true,
      onread: { buffer: shared, callback },
    };
    super(options);
    made.socket = this;
  }

  /** Returns whether to read on. */
  #pass(bytes: Buffer): boolean {
    const { onRead } = this;
    const isDone = onRead !== undefined && this.readableLength === 0 && onRead(bytes);
    return isDone || this.push(lastingBytes(bytes));
  }
}

/** The same connection, to be read into shared memory; as it is where this Node.js knows no such thing. Nothing may have been read, and nobody else may have it. */
export function sharingReads(accepted: Socket): Socket {
  const from = accepted as unknown as Inside;
  const handle = from._handle;
  if (typeof handle?.useUserBuffer !== "function" || from._server === undefined) return accepted;
  const socket = new SharedReadSocket(handle);
  // The server counts it until it is closed.
  (socket as unknown as Inside)._server = from._server;
  from._handle = null;
  return socket;
}

/** The same bytes, where nothing is read into. */
export function lastingBytes(bytes: Buffer): Buffer {
  return isShared(bytes) ? copyOf(bytes) : bytes;
}

/** Whether the next read is written over these bytes. */
export function isShared(bytes: Uint8Array): boolean {
  return bytes.buffer === shared.buffer;
}

function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.byteLength);
  copy.set(bytes);
  return copy;
}
