/**
 * The cache's own time, and its one timer.
 *
 * Time starts at 0 and never goes back, whatever the clock does. Reading a clock costs more than a
 * lookup, so under load one reading serves up to 32 calls and at most a millisecond, which the timer
 * ends. A cache that is called rarely reads the clock each time and sets no such timer.
 */
import type { CacheClock } from "./cache-clock.ts";

const CALLS_PER_READING = 32;
/** Two readings closer than this are a sign of load. */
const LOAD_MS = 0.25;
const READING_VALID_MS = 1;
/** Timers overflow just above; a longer wait is made of several. */
const DELAY_MAX_MS = 2 ** 31 - 1;

export class Timekeeper {
  /** The last reading, in milliseconds. */
  nowMs = 0;
  readonly #clock: CacheClock;
  readonly #ring: () => void;
  #lastReading: number;
  /** Calls that the last reading is still good for. */
  #callsLeft = 0;
  /** When the timer is due. Infinity: it is not set. */
  #dueMs = Infinity;
  #cancel: (() => void) | undefined;
  #stopped = false;

  /** `ring` is called by the timer and must not be what keeps the cache alive. */
  constructor(clock: CacheClock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
    this.#lastReading = clock.nowMs();
  }

  /** Makes `nowMs` good enough to decide whether an entry is alive. */
  freshen(): void {
    if (--this.#callsLeft < 0) this.#readAgain();
  }

  /** Reads the clock. */
  refresh(): number {
    const reading = this.#clock.nowMs();
    const step = reading - this.#lastReading;
    if (step > 0 && step < Infinity) this.nowMs += step;
    // A reading that is no number would make every later step one.
    if (Number.isFinite(reading)) this.#lastReading = reading;
    return this.nowMs;
  }

  #readAgain(): void {
    const before = this.nowMs;
    this.#callsLeft = 0;
    if (this.refresh() - before < LOAD_MS && !this.#stopped) {
      this.#callsLeft = CALLS_PER_READING - 1;
      this.wakeIn(READING_VALID_MS);
    }
  }

  /** Makes sure that the timer rings no later than in `delayMs`; Infinity: it need not. */
  wakeIn(delayMs: number): void {
    const dueMs = this.nowMs + delayMs;
    // A timer that is overdue may have been set before the clock jumped: it is set anew.
    if (this.#stopped || delayMs === Infinity) return;
    if (this.#dueMs <= dueMs && this.#dueMs > this.nowMs) return;
    // It may have been set to end the validity of the last reading.
    if (this.#dueMs <= this.nowMs) this.#callsLeft = 0;
    this.#cancel?.();
    this.#dueMs = dueMs;
    this.#cancel = this.#clock.after(Math.min(delayMs, DELAY_MAX_MS), () => {
      this.#dueMs = Infinity;
      this.#callsLeft = 0;
      this.refresh();
      this.#ring();
    });
  }

  /** Cancels the timer for good; from now on every call reads the clock. */
  stop(): void {
    this.#stopped = true;
    this.#callsLeft = 0;
    this.#cancel?.();
    this.#cancel = undefined;
  }
}

/** A call of `target` that does not keep it alive: without it, a set timer would. */
export function weakly<T extends object>(target: T, call: (target: T) => void): () => void {
  const reference = new WeakRef(target);
  return () => {
    const alive = reference.deref();
    if (alive !== undefined) call(alive);
  };
}
