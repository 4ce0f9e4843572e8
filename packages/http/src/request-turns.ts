/**
 * Shares one thread out among the requests of all connections, and between them and all other work: what arrives on links above all.
 * In each turn of the event loop requests are begun for some milliseconds. Those that come later in it wait, and of those that have waited
 * few are served in one turn, however little they take. They are served first in, first out, but those of connections that have moved much of late stand in a line of
 * their own: hundreds of clients that ask for long lists without end keep nobody waiting who asks for a value.
 */
import type { Socket } from "node:net";

import type { Clock } from "@meridian/runtime";

import { Line } from "./line.ts";

/** For how long requests are begun in one turn, in milliseconds. */
const TURN_MS = 10;

/** Of requests that have waited, how many are served in one turn. */
const SERVED_PER_TURN = 8;

/** A connection that has moved more than this in the last ten to twenty seconds has moved much. */
const MUCH_BYTES = 64 * 1024;
const WINDOW_MS = 10_000;

/** Of requests that are taken while both lines are waiting, each of this number is one of a connection that has moved much. */
const MUCH_EACH = 4;

/** What tells how much a connection has moved. */
export type Moving = object & Partial<Pick<Socket, "bytesRead" | "bytesWritten">>;

/** How much a connection had moved when its window began, and whether it moved much in the window before. */
interface Window {
  readonly atMs: number;
  readonly bytes: number;
  readonly hadMuch: boolean;
}

/** The requests that wait for a turn. */
export class RequestTurns {
  readonly #clock: Pick<Clock, "elapsedMs">;
  readonly #due = new Line<() => void>();
  /** The requests of connections that have moved much. */
  readonly #dueOfMuch = new Line<() => void>();
  readonly #windows = new WeakMap<Moving, Window>();
  /** How many others were taken since one of a connection that has moved much. */
  #passedOver = 0;
  #isServing = false;
  /** How many more that have waited are served in this turn. */
  #left = 0;
  #hasBegun = false;
  #begunAtMs = 0;

  constructor(clock: Pick<Clock, "elapsedMs">) {
    this.#clock = clock;
  }

  /** Whether one more request may be begun in this turn. */
  mayBegin(): boolean {
    const nowMs = this.#clock.elapsedMs();
    if (this.#hasBegun) return nowMs - this.#begunAtMs < TURN_MS;
    this.#begin(nowMs);
    return true;
  }

  /** Calls back when it is the turn of a request. Without its connection, it counts as one that has moved little. */
  wait(serve: () => void, connection?: Moving): void {
    const isMuch = connection !== undefined && this.#hasMovedMuch(connection);
    (isMuch ? this.#dueOfMuch : this.#due).add(serve);
    if (this.#isServing) return;
    this.#isServing = true;
    setImmediate(this.#serveDue);
  }

  #hasMovedMuch(connection: Moving): boolean {
    const nowMs = this.#clock.elapsedMs();
    const bytes = (connection.bytesRead ?? 0) + (connection.bytesWritten ?? 0);
    let window = this.#windows.get(connection);
    if (window === undefined) {
      window = { atMs: nowMs, bytes: 0, hadMuch: false };
      this.#windows.set(connection, window);
    }
    const isMuch = bytes - window.bytes > MUCH_BYTES;
    const passedMs = nowMs - window.atMs;
    if (passedMs < WINDOW_MS) return isMuch || window.hadMuch;
    const hadMuch = isMuch && passedMs < 2 * WINDOW_MS;
    this.#windows.set(connection, { atMs: nowMs, bytes, hadMuch });
    return hadMuch;
  }

  #take(): (() => void) | undefined {
    const first = this.#passedOver < MUCH_EACH - 1 ? this.#due.take() : undefined;
    this.#passedOver = first === undefined ? 0 : this.#passedOver + 1;
    return first ?? this.#dueOfMuch.take() ?? this.#due.take();
  }

  #begin(nowMs: number): void {
    this.#begunAtMs = nowMs;
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    setImmediate(() => {
      this.#hasBegun = false;
    });
  }

  readonly #serveDue = (): void => {
    this.#begin(this.#clock.elapsedMs());
    this.#left = SERVED_PER_TURN;
    this.#serveNext();
  };

  readonly #serveNext = (): void => {
    const isOver = this.#left === 0 || this.#clock.elapsedMs() - this.#begunAtMs >= TURN_MS;
    if (isOver && this.#left < SERVED_PER_TURN) {
      setImmediate(this.#serveDue);
      return;
    }
    const serve = this.#take();
    this.#isServing = serve !== undefined;
    if (serve === undefined) return;
    this.#left -= 1;
    serve();
    // Once all has run that needs no more than promises: that, too, takes of the turn.
    queueMicrotask(() => process.nextTick(this.#serveNext));
  };
}
