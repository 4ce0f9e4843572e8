/**
 * The running loads: at most one per key, however many callers wait for it.
 *
 * A load's result is stored only if no `set`, `delete` or `clear` has superseded the load, so a slow loader never overwrites a newer
 * value. Waiting callers get the loaded value in any case. The cache's one timer watches the deadlines.
 */
import { CacheError } from "./cache-error.ts";
import { onAbort } from "./on-abort.ts";

/** The second argument of a loader. */
export interface LoadContext<V = unknown> {
  /** Aborted when nobody waits any more, or the load has taken too long. */
  readonly signal: AbortSignal;
  /** The value past its time that this load is to replace; undefined if there is none. */
  readonly stale: V | undefined;
  /** Time to live of what is being loaded, for the loader to set, in milliseconds. */
  ttlMs: number | undefined;
}

/** Fetches the value of a key from its source. */
export type Loader<K, V> = (key: K, context: LoadContext<V>) => V | PromiseLike<V>;

/** Options of `getOrLoad`. */
export interface LoadOptions {
  /** Time to live of the loaded entry, unless the loader sets its own. Default: the cache's. */
  readonly ttlMs?: number | undefined;
  /** After this the load is given up with `LOAD_TIMEOUT`. Above 0; default 30 000; Infinity: never. */
  readonly timeoutMs?: number | undefined;
  /** Ends this caller's wait; the load goes on while others wait. */
  readonly signal?: AbortSignal | undefined;
}

/** The functions of the cache that loads use. */
export interface LoadHost<K, V> {
  nowMs(): number;
  wakeIn(delayMs: number): void;
  store(key: K, value: V, ttlMs: number | undefined): void;
  failed(error: unknown, key: K, background: boolean): void;
}

interface Flight<K, V> {
  readonly key: K;
  readonly promise: Promise<V>;
  readonly fail: (error: unknown) => void;
  readonly controller: AbortController;
  readonly deadlineMs: number;
  /** How many callers wait; Infinity if one of them has no signal. */
  waiting: number;
}

const TIMEOUT_MS = 30_000;

export class Loads<K, V> {
  readonly #host: LoadHost<K, V>;
  readonly #flights = new Map<K, Flight<K, V>>();
  /** Every load that has not settled, superseded ones too. */
  readonly #open = new Set<Flight<K, V>>();

  constructor(host: LoadHost<K, V>) {
    this.#host = host;
  }

  /** Whether a load for this key is under way. */
  has(key: K): boolean {
    return this.#flights.has(key);
  }

  /** Joins the load of a key, or starts it. */
  wait(key: K, load: Loader<K, V>, options: LoadOptions): Promise<V> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const flight = this.#flights.get(key) ?? this.#start(key, load, options);
    if (signal === undefined) {
      flight.waiting = Infinity;
      return flight.promise;
    }
    flight.waiting++;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        reject(signal.reason as Error);
        if (--flight.waiting === 0) this.#giveUp(flight, signal.reason);
      };
      const stay = onAbort(signal, leave);
      flight.promise.then(resolve, reject).then(stay, stay);
    });
  }

  /** Starts a load that nobody waits for and that is to replace a stale value, unless there is one. */
  refresh(key: K, load: Loader<K, V>, options: LoadOptions, stale: V): void {
    if (this.#flights.has(key)) return;
    this.#start(key, load, options, { stale }).waiting = Infinity;
  }

  /** Supersedes the load of a key: its result will not be stored. */
  supersede(key: K): void {
    if (this.#flights.size > 0) this.#flights.delete(key);
  }

  supersedeAll(): void {
    this.#flights.clear();
  }

  /** Aborts loads that have taken too long. Returns the time until the next deadline, Infinity if there is none. */
  expire(): number {
    const nowMs = this.#host.nowMs();
    let nextMs = Infinity;
    for (const flight of this.#open) {
      if (flight.deadlineMs <= nowMs) {
        this.#giveUp(flight, new CacheError("LOAD_TIMEOUT", "The loader did not settle in time"));
      } else nextMs = Math.min(nextMs, flight.deadlineMs - nowMs);
    }
    return nextMs;
  }

  #giveUp(flight: Flight<K, V>, reason: unknown): void {
    this.#close(flight);
    flight.fail(reason);
    flight.controller.abort(reason);
  }

  #close(flight: Flight<K, V>): void {
    this.#open.delete(flight);
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key);
  }

  /** `replaced` is given for a load in the background. */
  #start(
    key: K,
    load: Loader<K, V>,
    options: LoadOptions,
    replaced?: { readonly stale: V },
  ): Flight<K, V> {
    const host = this.#host;
    const controller = new AbortController();
    let settle: (value: V) => void = () => {};
    let fail: (error: unknown) => void = () => {};
    const promise = new Promise<V>((resolve, reject) => {
      settle = resolve;
      fail = reject;
    });
    const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    const deadlineMs = host.nowMs() + timeoutMs;
    const flight: Flight<K, V> = { key, promise, fail, controller, deadlineMs, waiting: 0 };
    this.#flights.set(key, flight);
    this.#open.add(flight);
    if (timeoutMs < Infinity) host.wakeIn(timeoutMs);
    const { signal } = controller;
    const context: LoadContext<V> = { signal, stale: replaced?.stale, ttlMs: options.ttlMs };
    const land = (value: V): void => {
      if (this.#flights.get(key) === flight) host.store(key, value, context.ttlMs);
      settle(value);
    };
    // Runs before any caller hears of the end, so that a caller who asks again starts a new load.
    promise.then(
      () => this.#close(flight),
      (error: unknown) => {
        this.#close(flight);
        host.failed(error, key, replaced !== undefined);
      },
    );
    try {
      const result = load(key, context);
      Promise.resolve(result).then(land).catch(fail);
    } catch (error) {
      fail(error);
    }
    return flight;
  }
}
