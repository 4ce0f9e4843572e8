/**
 * One request of a connection at a time. Those that a client sends ahead wait here unanswered: an answer that is made
 * before the one in front of it has left would wait in memory for as long as the client likes. And a read that was sent
 * behind a write is to see it. Of all that have waited, few are served in one turn of the event loop: hundreds that came in one
 * packet, or on many connections, are not answered before anybody else is.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/** Requests that may wait on one connection before no more is read from it. What has been read may be more of them. */
const WAITING_MAX = 64;

/** What a waiting request takes, in bytes, about, beside its head. */
export const REQUEST_BYTES: number = 4 * 1024;

/** Of requests that have waited, how many are served in one turn. */
const SERVED_PER_TURN = 8;

/** The requests that wait on the connections of a server. */
export class Pipelines {
  readonly #waiting = new WeakMap<Duplex, Set<IncomingMessage>>();
  /** Those whose turn it is: at most one of each connection. */
  #due: (() => void)[] = [];

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
      if (this.#due.length === 0) setImmediate(() => this.#serveDue());
      this.#due.push(() => {
        // Until now it waits, and counts as held.
        waiting.delete(incoming);
        if (waiting.size === 0) this.#waiting.delete(socket);
        if (socket.destroyed) return;
        if (waiting.size < WAITING_MAX / 2) socket.resume();
        serve();
      });
    });
  }

  #serveDue(): void {
    const served = this.#due.splice(0, SERVED_PER_TURN);
    if (this.#due.length > 0) setImmediate(() => this.#serveDue());
    for (const serve of served) serve();
  }

  /** node:http has a socket read on, in a tick of its own, with each request that has come whole: a pause has to follow that. */
  #pause(socket: Duplex): void {
    queueMicrotask(() => {
      if ((this.#waiting.get(socket)?.size ?? 0) >= WAITING_MAX / 2) socket.pause();
    });
  }
}
