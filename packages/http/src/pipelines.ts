/**
 * One request of a connection at a time. Those that a client sends ahead wait here unanswered: an answer that is made
 * before the one in front of it has left would wait in memory for as long as the client likes. And a read that was sent
 * behind a write is to see it. Each has a turn of its own, so that one connection takes no more than its share of the time.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/** Requests that may wait on one connection before no more is read from it. What has been read may be more of them. */
const WAITING_MAX = 64;

/** What a waiting request takes, in bytes, about, beside its head. */
export const REQUEST_BYTES: number = 4 * 1024;

/** The requests that wait on the connections of a server. */
export class Pipelines {
  readonly #waiting = new WeakMap<Duplex, Set<IncomingMessage>>();

  /** What waits on a connection, in bytes. */
  heldBytes(socket: Duplex): number {
    const waiting = this.#waiting.get(socket);
    if (waiting === undefined) return 0;
    let bytes = REQUEST_BYTES * waiting.size;
    for (const incoming of waiting) bytes += incoming.readableLength;
    return bytes;
  }

  /** Calls back when it is the turn of a request: at once, unless another of its connection is under way. */
  enter(incoming: IncomingMessage, outgoing: ServerResponse, serve: () => void): void {
    // An answer has its connection once those in front of it have left.
    if (outgoing.socket !== null) return serve();
    const { socket } = incoming;
    const waiting = this.#waiting.get(socket) ?? new Set();
    this.#waiting.set(socket, waiting.add(incoming));
    if (waiting.size >= WAITING_MAX) this.#pause(socket);
    outgoing.once("socket", () => {
      waiting.delete(incoming);
      if (waiting.size === 0) this.#waiting.delete(socket);
      if (waiting.size < WAITING_MAX / 2) socket.resume();
      // In a turn of its own: hundreds that came in one packet are not answered before anybody else is.
      setImmediate(() => {
        if (!socket.destroyed) serve();
      });
    });
  }

  /** node:http has a socket read on, in a tick of its own, with each request that has come whole: a pause has to follow that. */
  #pause(socket: Duplex): void {
    queueMicrotask(() => {
      if ((this.#waiting.get(socket)?.size ?? 0) >= WAITING_MAX / 2) socket.pause();
    });
  }
}
