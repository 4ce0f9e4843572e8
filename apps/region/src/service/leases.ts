/**
 * Decides which client fills a key. Of all clients that find no fresh value, one gets the lease and loads the value; the others wait until
 * it says that it is done, and look again. If the holder goes away, its lease runs out, and the client that has waited longest gets
 * the next lease.
 *
 * Leases are kept in the memory of one node. If a node restarts, or clients use several nodes, a key may be loaded more than once.
 * That costs a load, and nothing else: conditional writes keep what is stored right. The number and the time of leases are bounded.
 */
import { checkClientKey, MeridianError } from "@meridian/protocol";
import {
  Deadlines,
  randomIdentity,
  type Clock,
  type Metrics,
  type Random,
} from "@meridian/runtime";

/** The clock and the bounds of leases. */
export interface LeasesOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  /** Default 10 000. */
  readonly leasesMax?: number;
  /** Default 500: each is a request under way. */
  readonly waitersMax?: number;
}

const LEASES_MAX = 10_000;
const WAITERS_MAX = 500;

/** A client that asks for a lease. */
interface LeaseRequest {
  /** How long it is held. */
  readonly ttlMs: number;
  /** How long to wait while another client holds it. */
  readonly waitMs: number;
  /** Throws if the client has given its request up by now. Default: it never does. */
  readonly checkWanted?: () => void;
}

/** A client that waits for a lease. */
interface Waiter extends LeaseRequest {
  /** Given the id of its lease, or undefined if somebody else is done, or the wait is over. */
  readonly answer: (id: string | undefined) => void;
}

interface Lease {
  readonly id: string;
  readonly cancel: () => void;
  /** In the order of coming. */
  readonly waiters: Set<Waiter>;
}

/** The leases of a node. */
export class Leases {
  readonly #deadlines: Deadlines;
  readonly #random: Random;
  readonly #leasesMax: number;
  readonly #waitersMax: number;
  readonly #held = new Map<string, Lease>();
  /** Invariant: how many wait for all leases together. */
  #waiting = 0;
  #isClosed = false;

  constructor({ clock, random, metrics, ...bounds }: LeasesOptions) {
    this.#deadlines = new Deadlines(clock);
    this.#random = random;
    this.#leasesMax = bounds.leasesMax ?? LEASES_MAX;
    this.#waitersMax = bounds.waitersMax ?? WAITERS_MAX;
    metrics.level(() => [
      { name: "leases", now: this.#held.size, max: this.#leasesMax },
      { name: "leaseWaiters", now: this.#waiting, max: this.#waitersMax },
    ]);
  }

  /**
   * The id of the lease of a key; undefined where another client had it and is done, or has it still after the wait. Throws `INVALID_KEY`,
   * `OVERLOADED` where too many leases are held, or too many clients wait, and what `checkWanted` throws.
   */
  acquire(key: string, request: LeaseRequest): Promise<string | undefined> {
    checkClientKey(key);
    request.checkWanted?.();
    const { ttlMs, waitMs } = request;
    const lease = this.#held.get(key);
    if (lease === undefined) return Promise.resolve(this.#grant(key, ttlMs, new Set()));
    if (waitMs <= 0 || this.#isClosed) return Promise.resolve(undefined);
    checkRoom("clients that wait for leases", this.#waiting, this.#waitersMax);
    this.#waiting += 1;
    return new Promise((resolve) => {
      const { waiters } = lease;
      const waiter: Waiter = {
        ...request,
        answer: (id) => {
          cancel();
          waiters.delete(waiter);
          this.#waiting -= 1;
          resolve(id);
        },
      };
      const cancel = this.#deadlines.after(waitMs, () => waiter.answer(undefined));
      waiters.add(waiter);
    });
  }

  /** Ends a lease: those who wait are to look again. Returns whether it was held. */
  release(key: string, id: string): boolean {
    const lease = this.#held.get(key);
    if (lease?.id !== id) return false;
    lease.cancel();
    this.#held.delete(key);
    for (const waiter of lease.waiters) waiter.answer(undefined);
    return true;
  }

  /** Ends every wait. */
  close(): void {
    this.#isClosed = true;
    for (const { waiters } of this.#held.values()) {
      for (const waiter of waiters) waiter.answer(undefined);
    }
  }

  #grant(key: string, ttlMs: number, waiters: Set<Waiter>): string {
    if (!this.#held.has(key)) checkRoom("leases", this.#held.size, this.#leasesMax);
    const id = randomIdentity(this.#random).toString(36);
    const cancel = this.#deadlines.after(ttlMs, () => this.#expire(key));
    this.#held.set(key, { id, cancel, waiters });
    return id;
  }

  /** The holder's time is over: the client that has waited longest gets the next lease. */
  #expire(key: string): void {
    const waiters = this.#held.get(key)?.waiters ?? new Set();
    for (const next of waiters) {
      if (isWanted(next)) return next.answer(this.#grant(key, next.ttlMs, waiters));
      next.answer(undefined);
    }
    this.#held.delete(key);
  }
}

/** Whether a client still waits for what it has asked for. */
function isWanted({ checkWanted }: LeaseRequest): boolean {
  try {
    checkWanted?.();
    return true;
  } catch {
    return false;
  }
}

function checkRoom(what: string, now: number, max: number): void {
  if (now < max) return;
  const details = { count: now + 1, countMax: max };
  throw new MeridianError("OVERLOADED", `Expected at most ${max} ${what}, got ${now + 1}`, {
    details,
  });
}
