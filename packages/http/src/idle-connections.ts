/**
 * Finds the connections that may be closed to make room for others: no bytes move on them, and the client, not the server, has the next step.
 * Connections on which nothing was ever answered come first, then those that have been still for longest.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

import type { Clock } from "@meridian/runtime";

/** How long a connection may be still without making room, in milliseconds. */
const STILL_MS = 1_000;

/** How often connections are looked at, in milliseconds: looking at ten thousand takes a millisecond. */
const LOOK_MS = 250;

/** When a connection was last seen to move. */
interface Sight {
  movedBytes: number;
  sinceMs: number;
}

/** Finds connections to part with. */
export class IdleConnections {
  readonly #clock: Pick<Clock, "elapsedMs">;
  readonly #newestAnswer: (socket: Socket) => ServerResponse | undefined;
  readonly #isWriting: (socket: Socket) => boolean;
  readonly #sights = new Map<Socket, Sight>();
  /** Those that may go, the best last. */
  #idle: Socket[] = [];
  #lookedAtMs = -Infinity;

  /** `newestAnswer` knows the requests that node:http has read, `isWriting` whether any other is under way. */
  constructor(
    clock: Pick<Clock, "elapsedMs">,
    newestAnswer: (socket: Socket) => ServerResponse | undefined,
    isWriting: (socket: Socket) => boolean,
  ) {
    this.#clock = clock;
    this.#newestAnswer = newestAnswer;
    this.#isWriting = isWriting;
  }

  add(socket: Socket): void {
    this.#sights.set(socket, { movedBytes: 0, sinceMs: this.#clock.elapsedMs() });
  }

  delete(socket: Socket): void {
    this.#sights.delete(socket);
  }

  /** Takes out the connection that may go before all others, if one may. */
  take(): Socket | undefined {
    this.#look();
    for (let socket = this.#idle.pop(); socket !== undefined; socket = this.#idle.pop()) {
      if (this.#sights.has(socket) && this.#isIdle(socket)) {
        this.#sights.delete(socket);
        return socket;
      }
    }
    return undefined;
  }

  #look(): void {
    const nowMs = this.#clock.elapsedMs();
    if (nowMs - this.#lookedAtMs < LOOK_MS) return;
    this.#lookedAtMs = nowMs;
    this.#idle = [...this.#sights.keys()].filter((socket) => this.#isIdle(socket));
    const rank = (socket: Socket): number =>
      (this.#sights.get(socket)?.sinceMs ?? 0) + (socket.bytesWritten === 0 ? 0 : nowMs);
    this.#idle.sort((a, b) => rank(b) - rank(a));
  }

  #isIdle(socket: Socket): boolean {
    const nowMs = this.#clock.elapsedMs();
    const sight = this.#sights.get(socket);
    if (sight === undefined) return false;
    const movedBytes = socket.bytesRead + socket.bytesWritten - socket.writableLength;
    if (movedBytes !== sight.movedBytes) {
      sight.movedBytes = movedBytes;
      sight.sinceMs = nowMs;
    }
    return nowMs - sight.sinceMs >= STILL_MS && !this.#isServed(socket);
  }

  /** Whether the server has something to do for it. */
  #isServed(socket: Socket): boolean {
    if (socket.writableLength > 0) return false;
    // What has been read waits for its turn.
    if (socket.readableLength > 0 || this.#isWriting(socket)) return true;
    const answer = this.#newestAnswer(socket);
    if (answer === undefined || answer.writableEnded) return false;
    // Where a part of a body waits to be taken, the rest cannot come.
    return answer.req.complete || answer.req.readableLength > 0;
  }
}
