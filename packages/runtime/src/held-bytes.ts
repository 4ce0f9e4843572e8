/**
 * Bytes that a server holds in memory for its clients, and who has to give them back when they become too many.
 *
 * Progress, not politeness, holds a place: what a client has asked for and does not take costs everybody else. So where
 * there is no room, the client is cut that would need longest to move on with what is held for it: the more it holds and
 * the less it has moved lately, the earlier. A client that has only begun is given a second to show that it moves; only
 * where there is no other way is the newcomer refused. What is small is let in before what is large, so that a server full
 * of large things goes on with small ones.
 */
import type { Clock } from "./clock.ts";
import type { Gauge } from "./gauge.ts";
import type { Metrics } from "./metrics.ts";

/** A client that bytes are held for. */
export interface Holder<Failure extends Error> {
  /** What is held for it now, in bytes. */
  readonly heldBytes: number;
  /** What has moved since it came, in bytes: has left towards it, or has come from it. Only grows. */
  readonly movedBytes: number;
  /** Lets go of everything that is held for it. `heldBytes` counts no more afterwards. */
  cut(failure: Failure): void;
}

/** What bytes are held, and how many. */
export interface HeldBytesOptions<Failure extends Error> {
  /** The name of the gauge. */
  readonly name: string;
  /** Completes "Expected at most n bytes of …". */
  readonly what: string;
  readonly max: number;
  readonly clock: Pick<Clock, "elapsedMs">;
  readonly metrics: Metrics;
  /** Makes what a client is cut or refused with. */
  readonly overloaded: (said: string, details: Readonly<Record<string, number>>) => Failure;
}

/** What is no larger is let into the last quarter of the room. */
export const SMALL_BYTES: number = 16 * 1024;

/** How long a client may hold bytes before it is asked what it moves, in milliseconds. */
const GRACE_MS = 1_000;

/** How old what is known of holders may be: looking at ten thousand of them takes a millisecond. */
const FRESH_MS = 100;

/** What was seen of a holder: now, and when it was last noted down. */
interface Sight {
  heldBytes: number;
  /** Since when `movedBytes` has grown from `movedBefore`. */
  sinceMs: number;
  movedBefore: number;
  movedBytes: number;
  /** Since when bytes have been held without a break. */
  readonly beganAtMs: number;
}

/** Bounds what is held for all clients together. */
export class HeldBytes<Failure extends Error> {
  readonly #options: HeldBytesOptions<Failure>;
  readonly #holders = new Set<Holder<Failure>>();
  /** Those that hold anything, as last seen. */
  readonly #sights = new Map<Holder<Failure>, Sight>();
  /** What is held: as last seen, and what has been let in since. */
  #now = 0;
  #seenAtMs = -Infinity;

  constructor(options: HeldBytesOptions<Failure>) {
    this.#options = options;
    options.metrics.level(() => [this.#level()]);
  }

  /** From here on, bytes may be held for a client. */
  add(holder: Holder<Failure>): void {
    this.#holders.add(holder);
  }

  /** Nothing is held for it any more, of what still was a moment ago. */
  remove(holder: Holder<Failure>): void {
    if (!this.#holders.delete(holder)) return;
    this.#sights.delete(holder);
    this.#now = Math.max(0, this.#now - holder.heldBytes);
  }

  /**
   * Lets bytes in that are going to be held for a client. Cuts others where there is no room. Throws, and lets
   * nothing in, if none of the others is any slower. What is alone is let in however large it is.
   */
  admit(bytes: number, holder?: Holder<Failure>): void {
    const { max } = this.#options;
    const limit = bytes <= SMALL_BYTES ? max : max - Math.floor(max / 4);
    // Who may have to be cut one day is watched before that.
    if (this.#now + bytes > max / 4) this.#look();
    while (this.#now > 0 && this.#now + bytes > limit) {
      const slowest = this.#slowest(bytes <= SMALL_BYTES ? 0 : GRACE_MS);
      if (slowest === undefined || slowest === holder) throw this.#overloaded(bytes, limit);
      this.#cut(slowest);
    }
    this.#now += bytes;
    if (holder !== undefined && !this.#sights.has(holder)) {
      this.#note(holder, bytes, this.#options.clock.elapsedMs());
    }
  }

  /** Counts bytes that are held for a client already. Where they are too many, cuts whoever is slowest, be it this client. */
  take(bytes: number, holder: Holder<Failure>): void {
    const { max, clock } = this.#options;
    this.#now += bytes;
    if (this.#now <= max / 4 || !this.#holders.has(holder)) return;
    this.#look();
    if (!this.#sights.has(holder)) this.#note(holder, bytes, clock.elapsedMs());
    // What has moved on since it was last looked is held no more.
    if (this.#now > max) this.#look(0);
    while (this.#now > max) {
      const slowest = this.#slowest(0);
      if (slowest === undefined) return;
      this.#cut(slowest);
    }
  }

  #level(): Gauge {
    const { name, max } = this.#options;
    let now = 0;
    for (const { heldBytes } of this.#holders) now += heldBytes;
    return { name, now, max };
  }

  /** Brings what is known of the holders up to date. */
  #look(freshMs: number = FRESH_MS): void {
    const nowMs = this.#options.clock.elapsedMs();
    if (nowMs - this.#seenAtMs < freshMs) return;
    this.#seenAtMs = nowMs;
    this.#now = 0;
    for (const holder of this.#holders) {
      const { heldBytes } = holder;
      this.#now += heldBytes;
      if (heldBytes === 0) this.#sights.delete(holder);
      else this.#note(holder, heldBytes, nowMs);
    }
  }

  #note(holder: Holder<Failure>, heldBytes: number, nowMs: number): void {
    const { movedBytes } = holder;
    const sight = this.#sights.get(holder);
    if (sight === undefined) {
      const began = { sinceMs: nowMs, movedBefore: movedBytes, beganAtMs: nowMs };
      this.#sights.set(holder, { heldBytes, movedBytes, ...began });
      return;
    }
    // What it moved long ago says nothing: at least the last second counts, and at most the last two.
    if (nowMs - sight.sinceMs > 2 * GRACE_MS) {
      sight.sinceMs = nowMs - GRACE_MS;
      sight.movedBefore = sight.movedBytes;
    }
    sight.movedBytes = movedBytes;
    sight.heldBytes = heldBytes;
  }

  /** Of those that have held bytes for so long, the one that would need longest to move on with them. */
  #slowest(graceMs: number): Holder<Failure> | undefined {
    const nowMs = this.#options.clock.elapsedMs();
    let slowest: Holder<Failure> | undefined;
    let longest = -1;
    for (const [holder, sight] of this.#sights) {
      if (nowMs - sight.beganAtMs < graceMs) continue;
      const passedMs = nowMs - sight.sinceMs + 1;
      const needed = (sight.heldBytes * passedMs) / (sight.movedBytes - sight.movedBefore + 1);
      if (needed > longest) [slowest, longest] = [holder, needed];
    }
    return slowest;
  }

  #cut(holder: Holder<Failure>): void {
    const { what } = this.#options;
    const bytes = this.#sights.get(holder)?.heldBytes ?? 0;
    this.#sights.delete(holder);
    this.#holders.delete(holder);
    this.#now = Math.max(0, this.#now - bytes);
    const said = `Expected ${what} to move on, but there are too many, and ${bytes} bytes of this client's were the slowest`;
    holder.cut(this.#options.overloaded(said, { bytes }));
  }

  #overloaded(bytes: number, limit: number): Failure {
    const now = this.#now + bytes;
    const said = `Expected at most ${limit} bytes of ${this.#options.what}, got ${now}`;
    return this.#options.overloaded(said, { now, max: limit });
  }
}
