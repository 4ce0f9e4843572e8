/**
 * Measures how long this process has been too busy to read from sockets: it computed, collected garbage, or did not run at
 * all. A server whose answer waits in a socket is not silent.
 *
 * While a call waits for an answer, a timer is due every 25 ms. Its lateness is lost time, including that of a
 * timer that is overdue at this moment.
 */
import type { Clock, Deadlines } from "@meridian/runtime";

const TICK_MS = 25;
/** A timer may be late by so many milliseconds without being counted, because timers are inexact. */
const PUNCTUAL_MS = 10;
/** From so many milliseconds on, lost time counts as a stall, during which connections break. */
const STALL_MS = 100;
/** For so long after a stall, in milliseconds, a broken connection does not count against the node. */
const AFTERMATH_MS = 1_000;

/** Measures the time that this process loses. */
export class OwnLag {
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  #watchers = 0;
  #lostMs = 0;
  #stalledAtMs = -Infinity;
  /** When the timer is due; Infinity while none is set. */
  #dueMs = Infinity;

  constructor(clock: Clock, deadlines: Deadlines) {
    this.#clock = clock;
    this.#deadlines = deadlines;
  }

  /** All time lost so far, in milliseconds: for differences. */
  get lostMs(): number {
    return this.#lostMs + lateness(this.#clock.elapsedMs() - this.#dueMs);
  }

  /** Whether this process stalls, or has done so within the last second. */
  get isStalled(): boolean {
    const nowMs = this.#clock.elapsedMs();
    return nowMs - this.#dueMs >= STALL_MS || nowMs - this.#stalledAtMs < AFTERMATH_MS;
  }

  /** Starts to measure for one more call that waits for an answer. */
  watch(): void {
    this.#watchers += 1;
    if (this.#dueMs === Infinity) this.#schedule();
  }

  /** Ends the measurement of one call. */
  unwatch(): void {
    this.#watchers -= 1;
  }

  #schedule(): void {
    this.#dueMs = this.#clock.elapsedMs() + TICK_MS;
    this.#deadlines.after(TICK_MS, () => {
      const nowMs = this.#clock.elapsedMs();
      const lostMs = lateness(nowMs - this.#dueMs);
      this.#lostMs += lostMs;
      if (lostMs >= STALL_MS) this.#stalledAtMs = nowMs;
      this.#dueMs = Infinity;
      if (this.#watchers > 0) this.#schedule();
    });
  }
}

function lateness(byMs: number): number {
  return byMs > PUNCTUAL_MS ? byMs : 0;
}
