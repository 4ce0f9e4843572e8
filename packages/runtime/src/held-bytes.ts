/**
 * A bound on the bytes that a server holds in memory for its clients, and the choice of the client to cut when the bound is reached.
 *
 * Answers that a client has asked for and does not read take memory from all other clients. So if there is no room, the server cuts
 * the client that would need longest to take what is held for it, at the rate of its last seconds. For example, of two clients with 8 MiB each,
 * one that took 4 MiB in the last second and one that took 10 KiB, the second is cut. More than `SMALL_BYTES` at once never cut a client in its
 * first second; if there are no other clients to cut, these bytes are refused. The last quarter of the room is kept for smaller ones, so that a
 * server full of large answers still serves small ones.
 */
import type { Clock } from "./clock.ts";
import type { Gauge } from "./gauge.ts";
import type { Metrics } from "./metrics.ts";

/** A client for which bytes are held. */
export interface Holder<Failure extends Error> {
  /** How many bytes are held for the client now. */
  readonly heldBytes: number;
  /** How many bytes have been sent to the client or received from it so far. Only grows. */
  readonly movedBytes: number;
  /** Ends the client's connection and frees everything that is held for it. `heldBytes` is ignored afterwards. */
  cut(failure: Failure): void;
}

/** What is bounded, and how. */
export interface HeldBytesOptions<Failure extends Error> {
  /** The name of the gauge. */
  readonly name: string;
  /** Completes "Expected at most n bytes of …". */
  readonly what: string;
  readonly max: number;
  readonly clock: Pick<Clock, "elapsedMs">;
  readonly metrics: Metrics;
  /** Makes the error with which a client is cut or refused. */
  readonly overloaded: (said: string, details: Readonly<Record<string, number>>) => Failure;
}

/** Requests of at most so many bytes may use the last quarter of the room. */
export const SMALL_BYTES: number = 16 * 1024;

/** How long a client may hold bytes before its rate counts, in milliseconds. */
const GRACE_MS = 1_000;

/** How old the figures of holders may be, in milliseconds: to read those of ten thousand holders takes a millisecond. */
const FRESH_MS = 100;

/** The figures of a holder when they were last read, and at an earlier moment. */
interface Sight {
  heldBytes: number;
  /** When `movedBytes` was `movedBefore`. */
  sinceMs: number;
  movedBefore: number;
  movedBytes: number;
  /** Since when the client has held bytes without a break. */
  readonly beganAtMs: number;
}

/** Bounds the bytes that are held for all clients together. */
export class HeldBytes<Failure extends Error> {
  readonly #options: HeldBytesOptions<Failure>;
  readonly #holders = new Set<Holder<Failure>>();
  /** The holders that hold bytes, with their figures. */
  readonly #sights = new Map<Holder<Failure>, Sight>();
  /** How many bytes are held: the sum at the last reading, plus all admitted since. */
  #now = 0;
  #seenAtMs = -Infinity;

  constructor(options: HeldBytesOptions<Failure>) {
    this.#options = options;
    options.metrics.level(() => [this.#level()]);
  }

  /** Adds a client for which bytes may be held from now on. */
  add(holder: Holder<Failure>): void {
    this.#holders.add(holder);
  }

  /** Removes a client: its bytes are no longer held. */
  remove(holder: Holder<Failure>): void {
    if (!this.#holders.delete(holder)) return;
    this.#sights.delete(holder);
    this.#now = Math.max(0, this.#now - holder.heldBytes);
  }

  /**
   * Admits bytes that are going to be held for a client. Cuts other clients if there is no room. Throws the error of `overloaded`, and admits
   * nothing, if no other client can be cut. Bytes of any number are admitted if nothing else is held.
   */
  admit(bytes: number, holder?: Holder<Failure>): void {
    const { max } = this.#options;
    const limit = bytes <= SMALL_BYTES ? max : max - Math.floor(max / 4);
    // The rates of clients must be known before one of them has to be cut.
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

  /** Counts bytes that are already held for a client. If there are too many, cuts the slowest client, which may be this one. */
  take(bytes: number, holder: Holder<Failure>): void {
    const { max, clock } = this.#options;
    this.#now += bytes;
    if (this.#now <= max / 4 || !this.#holders.has(holder)) return;
    this.#look();
    if (!this.#sights.has(holder)) this.#note(holder, bytes, clock.elapsedMs());
    // Bytes that have been sent since the last reading are not held any more.
    if (this.#now > max) this.#look(0);
    while (this.#now > max) {
      if (!this.#cutTo(max)) return;
      // What a client that was cut shared with others is held for the others alone from now on.
      this.#look(0);
    }
  }

  /** Cuts the slowest clients until at most `max` bytes are held for the others. Returns whether that was possible. */
  #cutTo(max: number): boolean {
    while (this.#now > max) {
      const slowest = this.#slowest(0);
      if (slowest === undefined) return false;
      this.#cut(slowest);
    }
    return true;
  }

  #level(): Gauge {
    const { name, max } = this.#options;
    let now = 0;
    for (const { heldBytes } of this.#holders) now += heldBytes;
    return { name, now, max };
  }

  /** Reads the figures of all holders, unless they are fresh enough. */
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
    // The rate covers at least the last second and at most the last two.
    if (nowMs - sight.sinceMs > 2 * GRACE_MS) {
      sight.sinceMs = nowMs - GRACE_MS;
      sight.movedBefore = sight.movedBytes;
    }
    sight.movedBytes = movedBytes;
    sight.heldBytes = heldBytes;
  }

  /** Of the clients that have held bytes for at least `graceMs`, the one that would need longest to take them. */
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
