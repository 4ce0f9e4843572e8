/**
 * Lets newcomers in: one in a turn of the event loop, from one address after the other, and from each address only so many
 * whose peer is not known yet. The rest wait. Of those at one address the newest and the oldest come in by turns: strangers who stand in
 * line keep nobody out who comes after them, and a crowd that comes at once gets in all the same. Where too many wait, the oldest
 * goes.
 *
 * A newcomer has a place at its address until its peer is known. One that never gets to be known keeps its place for a second,
 * however soon it has gone; one that was known, and has then shown to be no good, takes a place for as long. So who comes
 * again and again is let in some sixty times a second, and whoever shares an address with it waits a moment. Where others
 * wait, a newcomer that has said nothing for a second makes room.
 */
import type { Clock } from "@meridian/runtime";

/** Newcomers from one address whose peers are not known. */
const PLACES_MAX = 64;

/** How long a newcomer may take to make itself known where others wait, and its place is taken if it does not, in milliseconds. */
const PLACE_MS = 1_000;

/** How often it is looked who has had its time, at most, in milliseconds. */
const LOOK_MS = 50;

/** How long a newcomer waits: nodes give up after so long, in milliseconds. */
const WAIT_MS_MAX = 5_000;

/** Newcomers that wait at one address, and at all. */
const WAITING_MAX = 4_096;
const WAITING_IN_ALL_MAX = 8_192;

/** Somebody who wants to come in. */
export interface Newcomer {
  /** Its turn has come. */
  enter(place: Place): void;
  /** Others wait, and it has not made itself known. `onGone` of its place follows. */
  makeRoom(): void;
  /** Too many wait already, or there is nothing to wait for any more. */
  refuse(): void;
}

/** The place of a newcomer. */
export interface Place {
  /** Its peer is known, or is gone without a fault of its own. */
  free(): void;
  /** It is gone. */
  onGone(): void;
  /** It was known, and has shown to be no good. */
  takeAgain(): void;
}

interface Guest {
  readonly newcomer: Newcomer;
  readonly sinceMs: number;
}

/** Who waits at one address. */
class Line {
  /** Since when each waits, the longest first. */
  readonly #since = new Map<Newcomer, number>();
  /** The same, the longest first; those that wait no more go when they are come upon. */
  #newest: Newcomer[] = [];
  #isNewestNext = true;

  get size(): number {
    return this.#since.size;
  }

  add(newcomer: Newcomer, nowMs: number): void {
    this.#since.set(newcomer, nowMs);
    if (this.#newest.length > 2 * this.#since.size) {
      this.#newest = this.#newest.filter((each) => this.#since.has(each));
    }
    this.#newest.push(newcomer);
  }

  delete(newcomer: Newcomer): boolean {
    return this.#since.delete(newcomer);
  }

  /** Takes out whose turn it is, and since when it has waited. */
  take(): [newcomer: Newcomer, sinceMs: number] | undefined {
    const next = this.#isNewestNext ? this.#takeNewest() : this.takeOldest();
    this.#isNewestNext = !this.#isNewestNext;
    return next;
  }

  takeOldest(): [newcomer: Newcomer, sinceMs: number] | undefined {
    const [oldest] = this.#since;
    if (oldest !== undefined) this.#since.delete(oldest[0]);
    return oldest;
  }

  #takeNewest(): [newcomer: Newcomer, sinceMs: number] | undefined {
    for (let each = this.#newest.pop(); each !== undefined; each = this.#newest.pop()) {
      const sinceMs = this.#since.get(each);
      if (sinceMs === undefined) continue;
      this.#since.delete(each);
      return [each, sinceMs];
    }
    return undefined;
  }
}

/** One address. */
interface Address {
  /** Those that are in and not known, the oldest first. */
  readonly guests: Set<Guest>;
  /** Places of those that have gone. */
  gone: number;
  readonly waiting: Line;
  isWatched: boolean;
}

export class Doorway {
  readonly #clock: Clock;
  /** Addresses with anyone to think of, in the order in which they are served. */
  readonly #addresses = new Map<string, Address>();
  #waiting = 0;
  #isServing = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many wait, and how many may. */
  get waiting(): { readonly now: number; readonly max: number } {
    return { now: this.#waiting, max: WAITING_IN_ALL_MAX };
  }

  /** Lets a newcomer in when it is its turn. Returns what is to be called if it does not wait any more. */
  come(name: string, newcomer: Newcomer): () => void {
    const address = this.#addressOf(name);
    if (!this.#makeRoom(address)) {
      this.#tidy(name, address);
      newcomer.refuse();
      return () => {};
    }
    address.waiting.add(newcomer, this.#clock.elapsedMs());
    this.#waiting += 1;
    this.#serve();
    this.#watch(name, address);
    return () => {
      if (!address.waiting.delete(newcomer)) return;
      this.#waiting -= 1;
      this.#tidy(name, address);
    };
  }

  /** Refuses all who wait. */
  close(): void {
    for (const address of this.#addresses.values()) while (this.#refuseOldest(address));
  }

  /** Whether one more may wait at an address: where too many do, the oldest there goes, or where another has several. */
  #makeRoom(address: Address): boolean {
    if (address.waiting.size < WAITING_MAX && this.#waiting < WAITING_IN_ALL_MAX) return true;
    if (this.#refuseOldest(address)) return true;
    for (const other of this.#addresses.values()) {
      if (other.waiting.size > 1) return this.#refuseOldest(other);
    }
    return false;
  }

  #refuseOldest({ waiting }: Address): boolean {
    const oldest = waiting.takeOldest();
    if (oldest === undefined) return false;
    this.#waiting -= 1;
    oldest[0].refuse();
    return true;
  }

  #serve(): void {
    if (this.#isServing || this.#waiting === 0) return;
    const next = this.#next();
    if (next === undefined) return;
    this.#isServing = true;
    setImmediate(() => {
      this.#isServing = false;
      this.#letIn();
      this.#serve();
    });
  }

  #letIn(): void {
    const next = this.#next();
    if (next === undefined) return;
    const [name, address] = next;
    // The other addresses first, the next time.
    this.#addresses.delete(name);
    this.#addresses.set(name, address);
    const taken = address.waiting.take();
    if (taken === undefined) return;
    const [newcomer, sinceMs] = taken;
    const nowMs = this.#clock.elapsedMs();
    this.#waiting -= 1;
    if (nowMs - sinceMs > WAIT_MS_MAX) {
      newcomer.refuse();
      return this.#tidy(name, address);
    }
    const guest = { newcomer, sinceMs: nowMs };
    address.guests.add(guest);
    newcomer.enter(this.#placeOf(name, address, guest));
    this.#watch(name, address);
  }

  /** The first address at which somebody waits for whom there is a place. */
  #next(): [string, Address] | undefined {
    for (const [name, address] of this.#addresses) {
      if (address.waiting.size > 0 && hasPlace(address)) return [name, address];
    }
    return undefined;
  }

  #placeOf(name: string, address: Address, guest: Guest): Place {
    const free = (): void => {
      if (address.guests.delete(guest)) this.#onFree(name, address);
    };
    return {
      free,
      onGone: () => {
        if (!address.guests.has(guest)) return;
        const restMs = guest.sinceMs + PLACE_MS - this.#clock.elapsedMs();
        if (restMs > 0) this.#hold(name, address, restMs);
        free();
      },
      takeAgain: () => {
        if (!address.guests.has(guest)) this.#hold(name, this.#addressOf(name), PLACE_MS);
      },
    };
  }

  #hold(name: string, address: Address, ms: number): void {
    address.gone += 1;
    this.#clock.after(ms, () => {
      address.gone -= 1;
      this.#onFree(name, address);
    });
  }

  #onFree(name: string, address: Address): void {
    this.#tidy(name, address);
    this.#serve();
  }

  /** Has the oldest newcomers at an address make room once they have had their time, as long as others wait there. */
  #watch(name: string, address: Address): void {
    const [oldest] = address.guests;
    if (address.isWatched || address.waiting.size === 0 || oldest === undefined) return;
    address.isWatched = true;
    const restMs = oldest.sinceMs + PLACE_MS - this.#clock.elapsedMs();
    this.#clock.after(Math.max(LOOK_MS, restMs), () => {
      address.isWatched = false;
      this.#askForRoom(address);
      this.#watch(name, address);
    });
  }

  #askForRoom(address: Address): void {
    if (hasPlace(address)) return;
    const nowMs = this.#clock.elapsedMs();
    let missing = address.waiting.size;
    for (const { newcomer, sinceMs } of address.guests) {
      if (missing === 0 || nowMs - sinceMs < PLACE_MS) return;
      missing -= 1;
      newcomer.makeRoom();
    }
  }

  #addressOf(name: string): Address {
    const known = this.#addresses.get(name);
    if (known !== undefined) return known;
    const address: Address = { guests: new Set(), gone: 0, waiting: new Line(), isWatched: false };
    this.#addresses.set(name, address);
    return address;
  }

  #tidy(name: string, { guests, gone, waiting }: Address): void {
    if (guests.size === 0 && gone === 0 && waiting.size === 0) this.#addresses.delete(name);
  }
}

function hasPlace({ guests, gone }: Address): boolean {
  return guests.size + gone < PLACES_MAX;
}
