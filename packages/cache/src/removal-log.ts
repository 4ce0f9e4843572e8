import { REASONS, REJECTED, type RemovalReason } from "./removal-reason.ts";
import type { Timekeeper } from "./timekeeper.ts";

/** How many removals are remembered; a power of two. */
const REMEMBERED = 256;

/** Remembers why the last few keys left. */
export class RemovalLog<K> {
  readonly #keys: (K | undefined)[] = Array.from({ length: REMEMBERED });
  readonly #reasons = new Uint8Array(REMEMBERED);
  readonly #times = new Float64Array(REMEMBERED);
  readonly #time: Timekeeper;
  #noted = 0;

  constructor(time: Timekeeper) {
    this.#time = time;
  }

  note(key: K, reason: number): void {
    const at = this.#noted++ & (REMEMBERED - 1);
    this.#keys[at] = key;
    this.#reasons[at] = reason;
    this.#times[at] = this.#time.nowMs;
  }

  /** The last remembered removal of a key. */
  find(key: K): { reason: RemovalReason | "rejected"; atMs: number } | undefined {
    const oldest = Math.max(0, this.#noted - REMEMBERED);
    for (let noted = this.#noted - 1; noted >= oldest; noted--) {
      const at = noted & (REMEMBERED - 1);
      if (this.#keys[at] !== key && !Object.is(this.#keys[at], key)) continue;
      const reason = this.#reasons[at] as number;
      return {
        reason: reason === REJECTED ? "rejected" : (REASONS[reason] as RemovalReason),
        atMs: this.#times[at] as number,
      };
    }
    return undefined;
  }
}
