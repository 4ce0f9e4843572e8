/**
 * The cache's own time, and its one timer.
 *
 * Time starts at 0 and never goes back, whatever the clock does. Reading a clock costs more than a
 * lookup, so under load one reading serves up to 32 calls, for at most a millisecond: a timer
 * ends its use. A cache that is called rarely, or a few times in a row, reads the clock at each call and sets no such timer, which would wake up
 * a program that has nothing to do.
 */
import type { CacheClock } from "./cache-clock.ts";

const CALLS_PER_READING = 32;
/** The cache is under load if so many readings in a row are closer to the one before than this, in milliseconds. */
const LOAD_READINGS = 8;
const LOAD_MS = 0.2;
const READING_VALID_MS = 1;
/** The longest delay of a timer, which would overflow at 2^31. A longer wait takes several timers. */
const DELAY_MAX_MS = 2e9;

export class Timekeeper {
  /** The last reading, in milliseconds. */
  nowMs = 0;
  readonly #clock: CacheClock;
  readonly #ring: () => void;
  #lastReading: number;
  /** For how many more calls the last reading may be used. */
  #callsLeft = 0;
  /** How many readings in a row were close to the one before. */
  #closeReadings = 0;
  /** When the timer is due; Infinity if it is not set. */
  #dueMs = Infinity;
  #cancel: (() => void) | undefined;
  #stopped = false;

  /** The timer calls `ring`, which must not hold a strong reference to the cache. */
  constructor(clock: CacheClock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
    this.#lastReading = clock.nowMs();
  }

  /** Updates `nowMs`, unless the last reading may still be used. */
  freshen(): void {
    if (--this.#callsLeft < 0) this.#readAgain();
  }

  /** Reads the clock. */
  refresh(): number {
    const reading = this.#clock.nowMs();
    const step = reading - this.#lastReading;
    if (step > 0 && step < Infinity) this.nowMs += step;
    // With a reading that is not a number, every later difference would not be one either.
    if (Number.isFinite(reading)) this.#lastReading = reading;
    return this.nowMs;
  }

  #readAgain(): void {
    const before = this.nowMs;
    if (this.refresh() - before >= LOAD_MS) this.#closeReadings = 0;
    else if (++this.#closeReadings > LOAD_READINGS && !this.#stopped) {
      this.#callsLeft = CALLS_PER_READING - 1;
      this.wakeIn(READING_VALID_MS);
    }
  }

  /** Sets the timer so that it rings within `delayMs`. With Infinity it does nothing. */
  wakeIn(delayMs: number): void {
    const dueMs = this.nowMs + delayMs;
    // An overdue timer may have been set before the clock jumped, so it is set anew.
    if (this.#stopped || delayMs === Infinity) return;
    if (this.#dueMs <= dueMs && this.#dueMs > this.nowMs) return;
    // The timer may have been set to end the use of the last reading.
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

  /** Cancels the timer for good. From then on every call reads the clock. */
  stop(): void {
    this.#stopped = true;
    this.#callsLeft = 0;
    this.#cancel?.();
    this.#cancel = undefined;
  }
}

/** A function that calls `call(target)` and refers to `target` weakly, so that a set timer does not keep a cache alive. */
export function weakly<T extends object>(target: T, call: (target: T) => void): () => void {
  const reference = new WeakRef(target);
  return () => {
    const alive = reference.deref();
    if (alive) call(alive);
  };
}
