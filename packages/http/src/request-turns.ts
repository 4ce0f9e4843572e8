/**
 * Shares one thread among the requests of all connections, and leaves time for all other work, such as the messages of links.
 *
 * In each turn of the event loop, requests are begun for `TURN_MS`. Requests that come later in the turn wait in a queue, and each turn serves at most
 * `SERVED_PER_TURN` of the queue, however short they are. There are two queues: one for connections that have moved many bytes in the last seconds, and one
 * for all others. So hundreds of clients that ask for long lists without end do not delay a client that asks for one value.
 */
import type { Socket } from "node:net";

import { Fifo, type Clock } from "@meridian/runtime";

/** For how long requests are begun in one turn, in milliseconds. */
const TURN_MS = 10;

/** How many requests of the queues are served in one turn. */
const SERVED_PER_TURN = 8;

/** A connection that has moved more bytes than this in the last ten to twenty seconds is a busy one. */
const BUSY_BYTES = 64 * 1024;
const WINDOW_MS = 10_000;

/** While both queues have requests, one of so many comes from the queue of busy connections. */
const BUSY_ONE_IN = 4;

/** The bytes that a connection has moved so far. The object stands for the connection. */
export type ByteCounts = object & Partial<Pick<Socket, "bytesRead" | "bytesWritten">>;

/** When the window of a connection began, the bytes that it had moved by then, and whether it was busy in the window before. */
interface Window {
  readonly atMs: number;
  readonly bytes: number;
  readonly wasBusy: boolean;
}

/** Decides in which turn a request is begun. */
export class RequestTurns {
  readonly #clock: Pick<Clock, "elapsedMs">;
  readonly #due = new Fifo<() => void>();
  /** The queue of busy connections. */
  readonly #dueOfBusy = new Fifo<() => void>();
  readonly #windows = new WeakMap<ByteCounts, Window>();
  /** How many requests were taken of `#due` since one was taken of `#dueOfBusy`. */
  #passedOver = 0;
  #isServing = false;
  /** How many more requests of the queues are served in this turn. */
  #left = 0;
  #hasBegun = false;
  #begunAtMs = 0;
  #onEnd: (() => void) | undefined;

  constructor(clock: Pick<Clock, "elapsedMs">) {
    this.#clock = clock;
  }

  /** From here on, calls back at the end of each turn in which a request may have been begun, before the next turn reads from connections. */
  onEnd(callback: () => void): void {
    this.#onEnd = callback;
  }

  /** Whether one more request may be begun in this turn. */
  mayBegin(): boolean {
    const nowMs = this.#clock.elapsedMs();
    if (this.#hasBegun) return nowMs - this.#begunAtMs < TURN_MS;
    this.#begin(nowMs);
    return true;
  }

  /** Calls `serve` when it is the turn of a request. A request without `connection` does not count as one of a busy connection. */
  wait(serve: () => void, connection?: ByteCounts): void {
    const isBusy = connection !== undefined && this.#isBusy(connection);
    (isBusy ? this.#dueOfBusy : this.#due).push(serve);
    if (this.#isServing) return;
    this.#isServing = true;
    setImmediate(this.#serveDue);
  }

  #isBusy(connection: ByteCounts): boolean {
    const nowMs = this.#clock.elapsedMs();
    const bytes = (connection.bytesRead ?? 0) + (connection.bytesWritten ?? 0);
    let window = this.#windows.get(connection);
    if (window === undefined) {
      window = { atMs: nowMs, bytes: 0, wasBusy: false };
      this.#windows.set(connection, window);
    }
    const isBusy = bytes - window.bytes > BUSY_BYTES;
    const passedMs = nowMs - window.atMs;
    if (passedMs < WINDOW_MS) return isBusy || window.wasBusy;
    const wasBusy = isBusy && passedMs < 2 * WINDOW_MS;
    this.#windows.set(connection, { atMs: nowMs, bytes, wasBusy });
    return wasBusy;
  }

  #take(): (() => void) | undefined {
    const first = this.#passedOver < BUSY_ONE_IN - 1 ? this.#due.shift() : undefined;
    this.#passedOver = first === undefined ? 0 : this.#passedOver + 1;
    return first ?? this.#dueOfBusy.shift() ?? this.#due.shift();
  }

  #begin(nowMs: number): void {
    this.#begunAtMs = nowMs;
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    setImmediate(() => {
      this.#hasBegun = false;
      this.#onEnd?.();
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
    // The promises that `serve` has resolved run first: their callbacks belong to this request, and take time of this turn.
    queueMicrotask(() => process.nextTick(this.#serveNext));
  };
}
