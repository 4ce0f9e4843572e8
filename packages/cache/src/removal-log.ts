import type { RemovalReason } from "./options.ts";

/** Reasons as numbers, so that counting and logging a removal cost next to nothing. */
export const EXPIRED = 0;
export const EVICTED = 1;
export const REPLACED = 2;
export const DELETED = 3;
export const CLEARED = 4;
/** It never came in. */
export const REJECTED = 5;

const NAMES = ["expired", "evicted", "replaced", "deleted", "cleared", "rejected"] as const;

/** Keys whose fate is remembered; a power of two. */
const REMEMBERED = 256;

/** Counts removals by reason, and remembers the last few keys for `explain`. */
export class RemovalLog<K> {
  readonly #counts = [0, 0, 0, 0, 0, 0];
  readonly #keys: (K | undefined)[] = Array.from({ length: REMEMBERED });
  readonly #reasons = new Uint8Array(REMEMBERED);
  readonly #times = new Float64Array(REMEMBERED);
  #noted = 0;

  note(key: K, reason: number, nowMs: number): void {
    this.#counts[reason] = (this.#counts[reason] as number) + 1;
    const at = this.#noted++ & (REMEMBERED - 1);
    this.#keys[at] = key;
    this.#reasons[at] = reason;
    this.#times[at] = nowMs;
  }

  count(reason: number): number {
    return this.#counts[reason] as number;
  }

  /** The last remembered removal of a key. */
  find(key: K): { reason: RemovalReason | "rejected"; atMs: number } | undefined {
    const oldest = Math.max(0, this.#noted - REMEMBERED);
    for (let noted = this.#noted - 1; noted >= oldest; noted--) {
      const at = noted & (REMEMBERED - 1);
      if (this.#keys[at] === key || Object.is(this.#keys[at], key)) {
        const reason = NAMES[this.#reasons[at] as number] as RemovalReason | "rejected";
        return { reason, atMs: this.#times[at] as number };
      }
    }
    return undefined;
  }

  /** Removals by reason. */
  counts(): Record<RemovalReason, number> {
    const [expired = 0, evicted = 0, replaced = 0, deleted = 0, cleared = 0] = this.#counts;
    return { expired, evicted, replaced, deleted, cleared };
  }
}

export function reasonName(reason: number): RemovalReason {
  return NAMES[reason] as RemovalReason;
}
