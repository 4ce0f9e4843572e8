/**
 * Counts which keys clients read, in bounded memory.
 *
 * Each ten seconds the reads of all keys are halved, so that they say what is used now; a key without reads is forgotten. Where memory is short, that happens each time
 * the sketch fades, and until then keys that are not in the sketch are not counted: those that are read often come again.
 */
import { HEAT_READS_MAX, hottest, type KeyHeat } from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";

/** What all keys may take in memory, in bytes, about; and what one takes beside its letters. */
const BYTES_MAX = 4 * 1024 * 1024;
const KEY_BYTES = 120;

const HALVE_MS = 10_000;

/** A key that goes on being read is told again after this time, in milliseconds: others may have let go of it. */
const TELL_AGAIN_MS = 60_000;

/** It is told sooner if it has become so many times as hot as it was when it was told. */
const HOTTER = 4;

interface Use {
  reads: number;
  /** Whether it was read since it was last told. */
  isRead: boolean;
  /** How often it had been read when it was last told, and when that was. */
  told: number;
  toldAtMs: number;
}

/** The keys that clients have read lately, with about how often. */
export class HeatSketch {
  readonly #clock: Clock;
  readonly #uses = new Map<string, Use>();
  #bytes = 0;
  #halvedAtMs: number;
  #hasMore = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#halvedAtMs = clock.elapsedMs();
  }

  /** How much of what it may take the sketch takes now. */
  get level(): { readonly now: number; readonly max: number } {
    return { now: this.#bytes, max: BYTES_MAX };
  }

  /** Whether `news` had to leave out what would have been news. */
  get hasMore(): boolean {
    return this.#hasMore;
  }

  /** A client has read a key. */
  used(key: string): void {
    const use = this.#uses.get(key);
    if (use !== undefined) {
      use.reads += 1;
      use.isRead = true;
      return;
    }
    const bytes = bytesOf(key);
    if (this.#bytes + bytes > BYTES_MAX) return;
    this.#bytes += bytes;
    // A copy: the key may be a part of a request, all of which would be kept with it.
    const copy = Buffer.from(key).toString();
    this.#uses.set(copy, { reads: 1, isRead: true, told: 0, toldAtMs: -Infinity });
  }

  /** Halves the reads, as often as is due. */
  fade(): void {
    const nowMs = this.#clock.elapsedMs();
    const isShort = this.#bytes > (BYTES_MAX / 4) * 3;
    const times = Math.floor((nowMs - this.#halvedAtMs) / HALVE_MS);
    if (times === 0 && !isShort) return;
    this.#halvedAtMs += times * HALVE_MS;
    const divisor = 2 ** Math.max(1, times);
    for (const [key, use] of this.#uses) {
      use.reads = Math.floor(use.reads / divisor);
      const isOver = isShort || nowMs - use.toldAtMs >= TELL_AGAIN_MS;
      if (use.reads === 0 && isOver) this.#forget(key);
    }
  }

  /** As many of the hottest keys as fit into one message, of those that have not been told lately. They count as told. */
  news(): KeyHeat[] {
    const nowMs = this.#clock.elapsedMs();
    const all: KeyHeat[] = [];
    for (const [key, use] of this.#uses) {
      if (isNews(use, nowMs)) all.push([key, Math.min(use.reads, HEAT_READS_MAX)]);
    }
    const chosen = hottest(all);
    for (const [key, told] of chosen) {
      const use = this.#uses.get(key);
      if (use !== undefined) Object.assign(use, { isRead: false, told, toldAtMs: nowMs });
    }
    this.#hasMore = chosen.length < all.length;
    return chosen;
  }

  #forget(key: string): void {
    this.#uses.delete(key);
    this.#bytes -= bytesOf(key);
  }
}

function isNews({ reads, isRead, told, toldAtMs }: Use, nowMs: number): boolean {
  if (!isRead || reads === 0) return false;
  return nowMs - toldAtMs >= TELL_AGAIN_MS || reads >= HOTTER * told;
}

function bytesOf(key: string): number {
  return KEY_BYTES + 2 * key.length;
}
