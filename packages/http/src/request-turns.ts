/**
 * Shares one thread out among the requests of all connections, and between them and all other work: what arrives on links above all.
 * In each turn of the event loop requests are begun for some milliseconds. Those that come later in it wait, first in,
 * first out, and of those that have waited few are served in one turn, however little they take.
 */
import type { Clock } from "@meridian/runtime";

import { Line } from "./line.ts";

/** For how long requests are begun in one turn, in milliseconds. */
const TURN_MS = 10;

/** Of requests that have waited, how many are served in one turn. */
const SERVED_PER_TURN = 8;

/** The requests that wait for a turn. */
export class RequestTurns {
  readonly #clock: Pick<Clock, "elapsedMs">;
  readonly #due = new Line<() => void>();
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

  /** Calls back when it is the turn of a request. */
  wait(serve: () => void): void {
    this.#due.add(serve);
    if (this.#isServing) return;
    this.#isServing = true;
    setImmediate(this.#serveDue);
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
    const serve = this.#due.take();
    this.#isServing = serve !== undefined;
    if (serve === undefined) return;
    this.#left -= 1;
    serve();
    // Once all has run that needs no more than promises: that, too, takes of the turn.
    queueMicrotask(() => process.nextTick(this.#serveNext));
  };
}
