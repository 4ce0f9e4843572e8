/**
 * Admits newcomers: one in each turn of the event loop, from one address after the other, and from each address only so many whose peer is not known
 * yet. The others wait. Of those that wait at one address, the newest and the oldest are admitted alternately: so waiting strangers keep out nobody
 * who comes later, and a crowd that comes at once is admitted all the same. If too many wait, the oldest is refused.
 *
 * A newcomer holds a place at its address until its peer is known. A newcomer that leaves without having made itself known holds
 * its place for a second after it came; a peer that was known and then breaks the protocol takes a place for a second, too. So a
 * peer that connects again and again is let in some sixty times a second, and others at its address wait a moment. While others
 * wait, a newcomer that has said nothing for a second is sent away.
 */
import type { Clock } from "@meridian/runtime";

/** Newcomers from one address whose peers are not known. */
const PLACES_MAX = 64;

/** How long a newcomer may take to make itself known while others wait, and how long it holds its place if it leaves before. In milliseconds. */
const PLACE_MS = 1_000;

/** The shortest time between two looks for newcomers whose time is over, in milliseconds. */
const LOOK_MS = 50;

/** How long a newcomer waits, in milliseconds: nodes give up after that, too. */
const WAIT_MS_MAX = 5_000;

/** Newcomers that wait at one address, and at all. */
const WAITING_MAX = 4_096;
const WAITING_IN_ALL_MAX = 8_192;

/** Somebody who wants to come in. */
export interface Newcomer {
  /** Its turn has come. */
  enter(place: Place): void;
  /** The newcomer has not made itself known in time while others wait: closes it. `onGone` of its place follows. */
  makeRoom(): void;
  /** Refuses the newcomer: too many wait already, or the server closes. */
  refuse(): void;
}

/** The place of a newcomer. */
export interface Place {
  /** Gives the place back: the peer is known, or has gone without a fault of its own. */
  free(): void;
  /** The newcomer's connection has closed. */
  onGone(): void;
  /** Takes a place again: the peer was known, and has broken the protocol. */
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

/** Decides when each new connection is let in. */
export class Doorway {
  readonly #clock: Clock;
  /** Addresses with guests or waiting newcomers, in the order in which they are served. */
  readonly #addresses = new Map<string, Address>();
  #waiting = 0;
  #isServing = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many newcomers wait, and how many may. */
  get waiting(): { readonly now: number; readonly max: number } {
    return { now: this.#waiting, max: WAITING_IN_ALL_MAX };
  }

  /** Admits a newcomer when its turn comes. Returns the function to call when the newcomer stops waiting. */
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

  /** Refuses every waiting newcomer. */
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

  /** The first address that has both a waiting newcomer and a free place. */
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
