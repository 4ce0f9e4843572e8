/**
 * Reads of single keys, as few requests as they need.
 *
 * All that is asked for in one turn of the event loop leaves together when the turn is over: a key once, however many
 * ask for it, and many keys as one `/batch/get`. While as many requests are under way as a node takes at a time, what
 * is asked for meanwhile waits and leaves together as soon as one of them has ended: the busier, the larger the batches.
 *
 * A read joins only a request that has not left yet, so that it never gives what was true before it was called.
 *
 * A batch pays for small values. How many keys one may have is reckoned from the mean size of the values read so far; a
 * node that refuses an answer as too large is asked again for each half.
 */
import { asMeridianError, type MeridianError } from "@meridian/protocol";

import { carriedEntryOf, jsonOf, listOf, rawEntryOf } from "./answers.ts";
import type { Caller } from "./caller.ts";
import type { Network } from "./exchange.ts";
import { followAbort } from "./follow-abort.ts";
import type { RawEntry } from "./meridian-client.ts";
import { BATCH_MAX, cachePath, getManyRequest } from "./requests.ts";
import { giveUpWaiting, type CallLimits } from "./run.ts";
import { SLOTS } from "./slots.ts";

/** From how many keys on a batch costs less than as many requests. */
const BATCH_MIN = 4;
/** How many bytes of values one batch is to have. */
const BATCH_BYTES = 512 * 1024;

/** An entry that was read. */
export interface ReadEntry extends RawEntry {
  /** Others were given the same bytes. */
  readonly shared: boolean;
}

interface Waiter {
  readonly limits: CallLimits;
  readonly endMs: number;
  readonly resolve: (entry: ReadEntry | undefined) => void;
  readonly reject: (reason: unknown) => void;
  /** Lets go of its signal and its deadline. */
  readonly release: (() => void)[];
  /** Whether its own deadline is watched, and not only that of its request. */
  bounded: boolean;
}

/** A key, who waits for it, and the request that it has left with. */
interface Wanted {
  readonly key: string;
  readonly waiters: Set<Waiter>;
  flight: Flight | undefined;
}

/** A request under way. */
interface Flight {
  readonly abandoned: AbortController;
  /** Invariant: how many of its waiters have neither been answered nor left. */
  waiting: number;
}

/** What reads go through. */
export interface ReadsOptions {
  readonly caller: Caller;
  readonly network: Network;
  /** Ends everything when the client is closed. */
  readonly closed: AbortSignal;
}

/** Puts the reads of a client together. */
export class Reads {
  readonly #options: ReadsOptions;
  /** Keys that have not left yet. */
  readonly #wanted = new Map<string, Wanted>();
  /** Who has come in this turn. */
  #fresh: (readonly [Wanted, Waiter])[] = [];
  #flights = 0;
  #meanBytes = 0;

  constructor(options: ReadsOptions) {
    this.#options = options;
  }

  /** The entry of a key, which was checked, or undefined if it has none. */
  read(key: string, limits: CallLimits): Promise<ReadEntry | undefined> {
    return new Promise((resolve, reject) => {
      const { signal } = limits;
      const { closed, network } = this.#options;
      if (signal?.aborted === true || closed.aborted) {
        reject((signal?.aborted === true ? signal : closed).reason as Error);
        return;
      }
      const endMs = network.clock.elapsedMs() + limits.deadlineMs;
      const waiter: Waiter = { limits, endMs, resolve, reject, release: [], bounded: false };
      let wanted = this.#wanted.get(key);
      if (wanted === undefined) {
        wanted = { key, waiters: new Set(), flight: undefined };
        this.#wanted.set(key, wanted);
      }
      wanted.waiters.add(waiter);
      this.#follow(wanted, waiter, signal);
      if (this.#fresh.push([wanted, waiter]) === 1) queueMicrotask(() => this.#endTurn());
    });
  }

  #endTurn(): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    this.#depart();
    for (const [wanted, waiter] of fresh) {
      if (wanted.flight !== undefined) continue;
      this.#bound(wanted, waiter);
      this.#follow(wanted, waiter, this.#options.closed);
    }
  }

  /** Sends what waits, as far as there is room. */
  #depart(): void {
    while (this.#wanted.size > 0 && this.#flights < SLOTS) void this.#fly(this.#take());
  }

  #take(): readonly Wanted[] {
    const fitting = Math.floor(BATCH_BYTES / Math.max(1, this.#meanBytes));
    const most = Math.min(BATCH_MAX, fitting, this.#wanted.size);
    const count = most < BATCH_MIN ? 1 : most;
    const batch: Wanted[] = [];
    for (const wanted of this.#wanted.values()) {
      batch.push(wanted);
      this.#wanted.delete(wanted.key);
      if (batch.length === count) break;
    }
    return batch;
  }

  async #fly(batch: readonly Wanted[]): Promise<void> {
    const waiters = batch.flatMap((wanted) => [...wanted.waiters]);
    const last = waiters.reduce((a, b) => (b.endMs > a.endMs ? b : a));
    const flight = { abandoned: new AbortController(), waiting: waiters.length };
    for (const wanted of batch) {
      wanted.flight = flight;
      for (const waiter of wanted.waiters) {
        // Those of one turn with one deadline end with their request.
        if (waiter.limits.deadlineMs !== last.limits.deadlineMs) this.#bound(wanted, waiter);
      }
    }
    this.#flights += 1;
    try {
      const deadlineMs = last.endMs - this.#options.network.clock.elapsedMs();
      await this.#ask(batch, { deadlineMs, signal: flight.abandoned.signal });
    } catch (cause) {
      for (const wanted of batch) settle(wanted, (waiter) => waiter.reject(cause));
    } finally {
      this.#flights -= 1;
      this.#depart();
    }
  }

  async #ask(batch: readonly Wanted[], limits: CallLimits): Promise<void> {
    const { caller } = this.#options;
    const [first] = batch;
    if (batch.length === 1 && first !== undefined) {
      const reply = await caller.call({ method: "GET", path: cachePath(first.key) }, limits);
      this.#deliver(first, reply.found ? carriedEntryOf(reply.answer) : undefined);
      return;
    }
    const request = getManyRequest(batch.map(({ key }) => key));
    try {
      const answer = jsonOf(await caller.call(request, limits));
      const entries = new Map(listOf(answer["entries"]).map((one) => [one["key"], one]));
      for (const wanted of batch) {
        const entry = entries.get(wanted.key);
        this.#deliver(wanted, entry === undefined ? undefined : rawEntryOf(entry));
      }
    } catch (cause) {
      if (!isTooLarge(cause)) throw cause;
      this.#meanBytes = Math.max(this.#meanBytes, (2 * BATCH_BYTES) / batch.length);
      const middle = batch.length >> 1;
      await Promise.all([
        this.#ask(batch.slice(0, middle), limits),
        this.#ask(batch.slice(middle), limits),
      ]);
    }
  }

  #deliver(wanted: Wanted, entry: RawEntry | undefined): void {
    if (entry !== undefined) this.#meanBytes += (entry.value.length - this.#meanBytes) / 16;
    const shared = wanted.waiters.size > 1;
    settle(wanted, (waiter) => {
      waiter.resolve(entry === undefined ? undefined : { ...entry, shared });
    });
  }

  /** Ends one wait when its own deadline is over. */
  #bound(wanted: Wanted, waiter: Waiter): void {
    if (waiter.bounded) return;
    waiter.bounded = true;
    const { clock, deadlines } = this.#options.network;
    const leftMs = Math.max(0, waiter.endMs - clock.elapsedMs());
    const late = (): void => this.#leave(wanted, waiter, giveUpWaiting(waiter.limits));
    waiter.release.push(deadlines.after(leftMs, late));
  }

  #follow(wanted: Wanted, waiter: Waiter, signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const aborted = (): void => this.#leave(wanted, waiter, signal.reason);
    waiter.release.push(followAbort(signal, aborted));
  }

  #leave(wanted: Wanted, waiter: Waiter, reason: unknown): void {
    if (!wanted.waiters.delete(waiter)) return;
    for (const release of waiter.release) release();
    waiter.reject(reason);
    const { flight } = wanted;
    if (flight === undefined) {
      if (wanted.waiters.size === 0) this.#wanted.delete(wanted.key);
      return;
    }
    flight.waiting -= 1;
    if (flight.waiting === 0) flight.abandoned.abort(reason);
  }
}

function settle(wanted: Wanted, tell: (waiter: Waiter) => void): void {
  for (const waiter of wanted.waiters) {
    for (const release of waiter.release) release();
    tell(waiter);
  }
  if (wanted.flight !== undefined) wanted.flight.waiting -= wanted.waiters.size;
  wanted.waiters.clear();
}

function isTooLarge(cause: unknown): cause is MeridianError {
  return asMeridianError(cause).code === "VALUE_TOO_LARGE";
}
