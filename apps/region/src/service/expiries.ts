/** Calls back when watched entries expire. An expiry writes nothing, so the change feed alone would not show it. */
import { KEY_BYTES_MAX, type Entry } from "@meridian/protocol";
import { Deadlines, type Clock, type Metrics } from "@meridian/runtime";

/** The expiry of a key's entry; 0 for never. */
export type Expiring = Pick<Entry, "key" | "expiresAtMs">;

/** The clock, the bounds and the callback of `Expiries`. */
export interface ExpiriesOptions {
  readonly clock: Clock;
  /** The time by which expiry is judged. */
  readonly nowMs: () => number;
  readonly metrics: Metrics;
  /** Called when the key's entry has expired. Must not throw. */
  readonly onDue: (key: string) => void;
}

/** The memory that all kept expiries may take together, in bytes, estimated; and what one takes besides its key. */
const BYTES_MAX = 16 * 1024 * 1024;
const EXPIRY_BYTES = 250;

/** Clocks are corrected, so the time is looked at again at least so often, in milliseconds. */
const DELAY_MS_MAX = 3_600_000;

/** Calls back when entries expire. Beyond its bound, it keeps nothing more: each `set` that a client is told says when it expires. */
export class Expiries {
  readonly #options: ExpiriesOptions;
  readonly #deadlines: Deadlines;
  /** The cancellations, by key. */
  readonly #kept = new Map<string, () => void>();
  #bytes = 0;

  constructor(options: ExpiriesOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock);
    options.metrics.level(() => [{ name: "watchedExpiryBytes", now: this.#bytes, max: BYTES_MAX }]);
  }

  /** Calls back once the key's entry has expired. Replaces the expiry of an earlier entry of the key. */
  keep({ key, expiresAtMs }: Expiring): void {
    this.#drop(key);
    if (expiresAtMs === 0) return;
    const bytes = EXPIRY_BYTES + 2 * key.length;
    if (this.#bytes + bytes > BYTES_MAX) return;
    this.#bytes += bytes;
    this.#arm(key, expiresAtMs);
  }

  /** Whether nothing more is kept. */
  get isFull(): boolean {
    return this.#bytes + EXPIRY_BYTES + 2 * KEY_BYTES_MAX > BYTES_MAX;
  }

  /** Forgets all. */
  clear(): void {
    this.#deadlines.clear();
    this.#kept.clear();
    this.#bytes = 0;
  }

  #arm(key: string, atMs: number): void {
    const delayMs = Math.min(DELAY_MS_MAX, Math.max(1, Math.ceil(atMs - this.#options.nowMs())));
    const cancel = this.#deadlines.after(delayMs, () => {
      if (this.#options.nowMs() < atMs) return this.#arm(key, atMs);
      this.#drop(key);
      this.#options.onDue(key);
    });
    this.#kept.set(key, cancel);
  }

  #drop(key: string): void {
    const cancel = this.#kept.get(key);
    if (cancel === undefined) return;
    cancel();
    this.#kept.delete(key);
    this.#bytes -= EXPIRY_BYTES + 2 * key.length;
  }
}
