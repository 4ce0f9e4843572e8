/**
 * One request of a connection at a time. Those that a client sends ahead wait here unanswered: an answer that is made
 * before the one in front of it has left would wait in memory for as long as the client likes. And a read that was sent
 * behind a write is to see it.
 *
 * node:http makes objects of everything that one packet holds: of hundreds of small requests, on each of hundreds of connections,
 * before anybody else is heard. So beyond a bound it is stopped in the midst of what has come, and the rest waits as bytes.
 *
 * No documented means does that: `pause` takes effect once the packet is parsed, `maxRequestsPerSocket` counts the requests that were
 * answered, too, and a stream of our own between socket and parser slows every request. So this uses `socket.parser.onIncoming`, which is
 * in node:http since its beginning and was tried on Node.js 20. Where it is missing, the connection is paused: then what is parsed ahead is
 * one packet, of 64 KiB at most.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

import type { Clock } from "@meridian/runtime";

import { hasBody } from "./request-head.ts";
import { RequestTurns } from "./request-turns.ts";

/** Requests of one connection that are made before those in front have been answered. */
const AHEAD_MAX = 32;

/** What a waiting request takes, in bytes, about, beside its head. */
export const REQUEST_BYTES: number = 4 * 1024;

/** What one packet brings at most, in bytes. */
export const PACKET_BYTES: number = 64 * 1024;

/** Answered before everything else that waits: a health check must not wait behind other requests. */
const URGENT = /^\/(healthz|readyz)(?=\?|$)/;

/** How much of the body of a waiting request is held at most, in bytes: the reading stops where a packet brought more than a stream takes. */
export function bodyBytesAhead(incoming: IncomingMessage): number {
  if (!hasBody(incoming)) return 0;
  return Math.min(PACKET_BYTES, Number(incoming.headers["content-length"] ?? PACKET_BYTES));
}

/** The requests that wait on the connections of a server. */
export class Pipelines {
  /** By their connections, and with how much of its body each may come to hold. */
  readonly #waiting = new WeakMap<Duplex, Map<IncomingMessage, number>>();
  /** The turns that requests share. */
  readonly turns: RequestTurns;
  /** Connections that were paused because the parser cannot be stopped. */
  readonly #paused = new WeakSet<Duplex>();
  readonly #parserOf: (socket: Duplex) => Parser | undefined;

  /** `parserOf` finds what node:http reads a connection with. */
  constructor(clock: Pick<Clock, "elapsedMs">, parserOf: typeof parserOfNode = parserOfNode) {
    this.turns = new RequestTurns(clock);
    this.#parserOf = parserOf;
  }

  /** What waits on a connection, in bytes, with what may still be read of bodies while it waits: nobody is asked again when that comes. */
  heldBytes(socket: Duplex): number {
    let bytes = socket.readableLength;
    const waiting = this.#waiting.get(socket);
    if (waiting === undefined) return bytes;
    bytes += REQUEST_BYTES * waiting.size;
    for (const [{ complete, readableLength }, ahead] of waiting) {
      bytes += complete ? readableLength : Math.max(ahead, readableLength);
    }
    return bytes;
  }

  /** Whether a request may be served at once that is the only one of its connection. */
  mayBegin({ url = "" }: IncomingMessage): boolean {
    return this.turns.mayBegin() || URGENT.test(url);
  }

  /** Calls back when it is the turn of a request that may not be served at once. */
  enter(incoming: IncomingMessage, outgoing: ServerResponse, serve: () => void): void {
    const { socket } = incoming;
    const waiting = this.#waiting.get(socket) ?? new Map();
    this.#waiting.set(socket, waiting.set(incoming, bodyBytesAhead(incoming)));
    if (waiting.size >= AHEAD_MAX) this.#stopReading(socket);
    const wait = (): void => {
      this.turns.wait(() => {
        // Until now it waits, and counts as held.
        waiting.delete(incoming);
        if (waiting.size < AHEAD_MAX && this.#paused.delete(socket)) socket.resume();
        if (waiting.size === 0) this.#waiting.delete(socket);
        if (!socket.destroyed) serve();
      }, socket);
    };
    // An answer has its connection once those in front of it have left.
    if (outgoing.socket === null) outgoing.once("socket", wait);
    else wait();
  }

  /** Has the next request of a connection end the reading of it, with the event `upgrade`. */
  #stopReading(socket: Duplex): void {
    const parser = this.#parserOf(socket);
    if (parser === undefined) return this.#pause(socket);
    parser.onIncoming = (incoming) => {
      Object.assign(incoming, { upgrade: true });
      return IS_UPGRADE;
    };
  }

  #pause(socket: Duplex): void {
    if (this.#paused.has(socket)) return;
    this.#paused.add(socket);
    // Behind each request, node:http resumes the reading: until the packet is parsed.
    process.nextTick(() => {
      if (this.#paused.has(socket)) socket.pause();
    });
  }
}

/** What node:http reads a connection with. */
export interface Parser {
  onIncoming?: (incoming: IncomingMessage) => number;
}

/** What node:http is told of a request that asks for another protocol: it lets go of the connection, with all that comes after the head. */
const IS_UPGRADE = 2;

function parserOfNode(socket: Duplex & { readonly parser?: Parser | null }): Parser | undefined {
  const { parser } = socket;
  return typeof parser?.onIncoming === "function" ? parser : undefined;
}
