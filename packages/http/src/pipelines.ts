/**
 * One request of a connection at a time. Those that a client sends ahead wait here unanswered: an answer that is made
 * before the one in front of it has left would wait in memory for as long as the client likes. And a read that was sent
 * behind a write is to see it.
 *
 * node:http makes objects of everything that one packet holds: of hundreds of small requests, on each of hundreds of connections,
 * before anybody else is heard. So beyond a bound it is stopped in the midst of what has come, and the rest waits as bytes.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

import type { Clock } from "@meridian/runtime";

import { RequestTurns } from "./request-turns.ts";

/** Requests of one connection that are made before those in front have been answered. */
const AHEAD_MAX = 32;

/** What a waiting request takes, in bytes, about, beside its head. */
export const REQUEST_BYTES: number = 4 * 1024;

/** Answered whatever else waits: who asks for no more than whether the program is there hears it at once. */
const URGENT = /^\/(healthz|readyz)(?=\?|$)/;

/** The requests that wait on the connections of a server. */
export class Pipelines {
  readonly #waiting = new WeakMap<Duplex, Set<IncomingMessage>>();
  /** The turns that requests share. */
  readonly turns: RequestTurns;

  constructor(clock: Pick<Clock, "elapsedMs">) {
    this.turns = new RequestTurns(clock);
  }

  /** What waits on a connection, in bytes. */
  heldBytes(socket: Duplex): number {
    let bytes = socket.readableLength;
    const waiting = this.#waiting.get(socket);
    if (waiting === undefined) return bytes;
    bytes += REQUEST_BYTES * waiting.size;
    for (const incoming of waiting) bytes += incoming.readableLength;
    return bytes;
  }

  /** Whether a request may be served at once that is the only one of its connection. */
  mayBegin({ url = "" }: IncomingMessage): boolean {
    return this.turns.mayBegin() || URGENT.test(url);
  }

  /** Calls back when it is the turn of a request that may not be served at once. */
  enter(incoming: IncomingMessage, outgoing: ServerResponse, serve: () => void): void {
    const { socket } = incoming;
    const waiting = this.#waiting.get(socket) ?? new Set();
    this.#waiting.set(socket, waiting.add(incoming));
    if (waiting.size >= AHEAD_MAX) stopReading(socket);
    const wait = (): void => {
      this.turns.wait(() => {
        // Until now it waits, and counts as held.
        waiting.delete(incoming);
        if (waiting.size === 0) this.#waiting.delete(socket);
        if (!socket.destroyed) serve();
      });
    };
    // An answer has its connection once those in front of it have left.
    if (outgoing.socket === null) outgoing.once("socket", wait);
    else wait();
  }
}

/** What node:http reads a connection with. */
interface Parser {
  onIncoming?: (incoming: IncomingMessage) => number;
}

/** What node:http is told of a request that asks for another protocol: it lets go of the connection, with all that comes after the head. */
const IS_UPGRADE = 2;

/** Has the next request of a connection end the reading of it, with the event `upgrade`. */
function stopReading(socket: Duplex & { readonly parser?: Parser | null }): void {
  const { parser } = socket;
  if (typeof parser?.onIncoming !== "function") return;
  parser.onIncoming = (incoming) => {
    Object.assign(incoming, { upgrade: true });
    return IS_UPGRADE;
  };
}
