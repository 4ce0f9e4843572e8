/**
 * Stamps that a node has taken back: a directory refused their entries, which got new stamps and may have been overwritten or deleted
 * under these. Another directory may have forwarded the same entries with the old stamps; when they come back from there, they must not win.
 */
import type { Stamp } from "./stamp.ts";

/** How many stamps a store remembers at most; the oldest are forgotten first. */
export const TAKEN_BACK_MAX = 32_768;

/** Stamps that were taken back: at most `TAKEN_BACK_MAX`, of which the oldest are forgotten first. */
export class TakenBack {
  readonly #stamps = new Set<string>();

  /** Whether there are none: nearly always. */
  get isEmpty(): boolean {
    return this.#stamps.size === 0;
  }

  has(stamp: Stamp): boolean {
    return this.#stamps.has(nameOf(stamp));
  }

  /** Whether a stamp of that time was taken back. Looks through all of them: for what happens seldom. */
  hasTime(time: number): boolean {
    const begin = `${time} `;
    for (const name of this.#stamps) if (name.startsWith(begin)) return true;
    return false;
  }

  copy(): TakenBack {
    const copy = new TakenBack();
    for (const name of this.#stamps) copy.#stamps.add(name);
    return copy;
  }

  add(stamps: readonly Stamp[]): void {
    for (const stamp of stamps) this.#stamps.add(nameOf(stamp));
    for (const oldest of this.#stamps) {
      if (this.#stamps.size <= TAKEN_BACK_MAX) return;
      this.#stamps.delete(oldest);
    }
  }
}

function nameOf({ time, origin }: Stamp): string {
  return `${time} ${origin}`;
}
