/**
 * Combines reads of single keys into few requests.
 *
 * The reads of one turn of the event loop are sent together at its end: each key once, however many calls
 * read it, and several keys as one `/batch/get`. While all slots of a node are taken, further reads
 * wait and are sent together as soon as a request has ended: the busier the node, the larger the batches.
 *
 * A read joins only a request that has not been sent yet, so that it never returns a state from before the call.
 *
 * A batch is faster only for small values. Its number of keys is computed from the mean size of the values read so far; if a
 * node refuses an answer as too large, the batch is asked for again in halves.
 */
import { asMeridianError } from "@meridian/protocol";

import { batchEntriesOf, carriedEntryOf, type ReceivedEntry } from "./answers.ts";
import type { Caller } from "./caller.ts";
import type { Network } from "./exchange.ts";
import { followAbort } from "./follow-abort.ts";
import type { Near } from "./near/near.ts";
import type { NearRequest } from "./near/near-cache.ts";
import { BATCH_MAX, getManyRequest, getRequest } from "./requests.ts";
import { giveUpWaiting, type CallLimits } from "./run.ts";
import { SLOTS } from "./slots.ts";

/** From so many keys on a batch costs less than single requests. */
const BATCH_MIN = 4;
/** The target for the bytes of values in one batch. */
const BATCH_BYTES = 512 * 1024;

/** Makes the result of a call from an entry. `shared`: other calls get the same entry. */
export type Take<T> = (key: string, entry: ReceivedEntry, shared: boolean) => T | Promise<T>;

interface Waiter {
  readonly wanted: Wanted;
  readonly limits: CallLimits;
  readonly endMs: number;
  readonly take: Take<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
  /** It was answered, or has left. */
  isDone: boolean;
  /** Lets go of its signals and its own deadline. */
  release: (() => void)[] | undefined;
  /** Whether its own deadline is watched, and not only that of its request. */
  isBounded: boolean;
}

/** A key, the calls that wait for it, and the request that it was sent with. */
interface Wanted {
  readonly key: string;
  readonly waiters: Waiter[];
  /** Invariant: how many of them are not done. */
  waiting: number;
  flight: Flight | undefined;
  /** What the near cache knows of the request. */
  near: NearRequest | undefined;
}

/** A running request. */
interface Flight {
  readonly abandoned: AbortController;
  /** Invariant: how many of the waiters of its keys are not done. */
  waiting: number;
}

/** The parts that reads use. */
export interface ReadsOptions {
  readonly caller: Caller;
  readonly network: Network;
  readonly near: Near | undefined;
  /** Ends everything when the client is closed. */
  readonly closed: AbortSignal;
}

/** Combines the reads of a client. */
export class Reads {
  readonly #options: ReadsOptions;
  /** Keys that have not been sent yet. */
  readonly #wanted = new Map<string, Wanted>();
  /** The calls of this turn. */
  #fresh: Waiter[] = [];
  #flights = 0;
  #meanBytes = 0;

  constructor(options: ReadsOptions) {
    this.#options = options;
  }

  /** The entry of a key that this process keeps, if it may be returned now. */
  kept(key: string): ReceivedEntry | undefined {
    return this.#options.near?.get(key);
  }

  /** What `take` makes of the entry of a key, which was checked, or undefined if it has none. */
  read<T>(key: string, limits: CallLimits, take: Take<T>): Promise<T | undefined> {
    const kept = limits.signal?.aborted === true ? undefined : this.kept(key);
    if (kept === undefined) return this.fetch(key, limits, take);
    return takeKept(key, kept, take);
  }

  /** As `read`, from a node. */
  fetch<T>(key: string, limits: CallLimits, take: Take<T>): Promise<T | undefined> {
    const { closed, network } = this.#options;
    const { signal } = limits;
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    if (closed.aborted) return Promise.reject(closed.reason as Error);
    return new Promise((resolve, reject) => {
      const wanted = this.#wantedOf(key);
      const waiter: Waiter = {
        wanted,
        limits,
        endMs: network.clock.elapsedMs() + limits.deadlineMs,
        take,
        resolve: resolve as (value: unknown) => void,
        reject,
        isDone: false,
        release: undefined,
        isBounded: false,
      };
      wanted.waiters.push(waiter);
      wanted.waiting += 1;
      if (signal !== undefined) this.#follow(waiter, signal);
      if (this.#fresh.push(waiter) === 1) queueMicrotask(() => this.#endTurn());
    });
  }

  /** The entries of those of `keys` that have one: kept ones, and the rest in batches of its own. */
  async many(
    keys: readonly string[],
    limits: CallLimits,
  ): Promise<ReadonlyMap<string, ReceivedEntry>> {
    const entries = new Map<string, ReceivedEntry>();
    const missing: string[] = [];
    for (const key of keys) {
      const kept = this.kept(key);
      if (kept === undefined) missing.push(key);
      else entries.set(key, kept);
    }
    for (let start = 0; start < missing.length; start += BATCH_MAX) {
      const some = missing.slice(start, start + BATCH_MAX);
      for (const [key, entry] of await this.#batch(some, limits)) entries.set(key, entry);
    }
    return entries;
  }

  async #batch(
    keys: readonly string[],
    limits: CallLimits,
  ): Promise<ReadonlyMap<string, ReceivedEntry>> {
    const { caller, near } = this.#options;
    const requests = keys.map((key) => near?.sent(key));
    try {
      const reply = await caller.call(getManyRequest(keys), limits);
      const entries = batchEntriesOf(reply);
      for (const [index, key] of keys.entries()) {
        near?.came(key, requests[index], reply.node.info.url, entries.get(key));
        requests[index] = undefined;
      }
      return entries;
    } finally {
      for (const [index, key] of keys.entries()) {
        const request = requests[index];
        if (request !== undefined) near?.failed(key, request);
      }
    }
  }

  #wantedOf(key: string): Wanted {
    let wanted = this.#wanted.get(key);
    if (wanted === undefined) {
      wanted = { key, waiters: [], waiting: 0, flight: undefined, near: undefined };
      this.#wanted.set(key, wanted);
    }
    return wanted;
  }

  #endTurn(): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    this.#depart();
    for (const waiter of fresh) {
      if (waiter.wanted.flight !== undefined || waiter.isDone) continue;
      this.#bound(waiter);
      this.#follow(waiter, this.#options.closed);
    }
  }

  /** Sends the waiting keys, as far as there are free slots. */
  #depart(): void {
    while (this.#wanted.size > 0 && this.#flights < SLOTS) void this.#fly(this.#take());
  }

  #take(): readonly Wanted[] {
    const fitting = Math.floor(BATCH_BYTES / Math.max(1, this.#meanBytes));
    const most = Math.min(BATCH_MAX, fitting, this.#wanted.size);
    const count = most < BATCH_MIN ? 1 : most;
    const batch: Wanted[] = [];
    for (const [key, wanted] of this.#wanted) {
      batch.push(wanted);
      this.#wanted.delete(key);
      if (batch.length === count) break;
    }
    return batch;
  }

  async #fly(batch: readonly Wanted[]): Promise<void> {
    const flight: Flight = { abandoned: new AbortController(), waiting: 0 };
    const last = lastOf(batch);
    const { near } = this.#options;
    for (const wanted of batch) {
      wanted.flight = flight;
      wanted.near = near?.sent(wanted.key);
      flight.waiting += wanted.waiting;
      for (const waiter of wanted.waiters) {
        // Those of one turn with one deadline end with their request.
        if (waiter.limits.deadlineMs !== last.limits.deadlineMs) this.#bound(waiter);
      }
    }
    this.#flights += 1;
    try {
      const deadlineMs = last.endMs - this.#options.network.clock.elapsedMs();
      await this.#ask(batch, { deadlineMs, signal: flight.abandoned.signal });
    } catch (cause) {
      for (const { key, near: request, waiters } of batch) {
        if (request !== undefined) near?.failed(key, request);
        for (const waiter of waiters) if (settle(waiter)) waiter.reject(cause);
      }
    } finally {
      this.#flights -= 1;
      this.#depart();
    }
  }

  async #ask(batch: readonly Wanted[], limits: CallLimits): Promise<void> {
    const { caller } = this.#options;
    const [first] = batch;
    if (batch.length === 1 && first !== undefined) {
      const reply = await caller.call(getRequest(first.key), limits);
      const { url } = reply.node.info;
      this.#deliver(first, url, reply.found ? carriedEntryOf(reply.answer) : undefined);
      return;
    }
    try {
      const reply = await caller.call(getManyRequest(batch.map(({ key }) => key)), limits);
      const entries = batchEntriesOf(reply);
      const { url } = reply.node.info;
      for (const wanted of batch) this.#deliver(wanted, url, entries.get(wanted.key));
    } catch (cause) {
      if (asMeridianError(cause).code !== "VALUE_TOO_LARGE") throw cause;
      this.#meanBytes = Math.max(this.#meanBytes, (2 * BATCH_BYTES) / batch.length);
      const middle = batch.length >> 1;
      await Promise.all([
        this.#ask(batch.slice(0, middle), limits),
        this.#ask(batch.slice(middle), limits),
      ]);
    }
  }

  #deliver(wanted: Wanted, node: string, entry: ReceivedEntry | undefined): void {
    const { key, waiters, near: request } = wanted;
    wanted.near = undefined;
    this.#options.near?.came(key, request, node, entry);
    if (entry !== undefined) {
      const bytes = entry.bytes?.length ?? entry.text?.length ?? 0;
      this.#meanBytes += (bytes - this.#meanBytes) / 16;
    }
    const shared = waiters.length > 1;
    for (const waiter of waiters) {
      if (!settle(waiter)) continue;
      if (entry === undefined) waiter.resolve(undefined);
      else {
        try {
          waiter.resolve(waiter.take(key, entry, shared));
        } catch (cause) {
          waiter.reject(cause);
        }
      }
    }
  }

  /** Ends one wait when its own deadline is over. */
  #bound(waiter: Waiter): void {
    if (waiter.isBounded) return;
    waiter.isBounded = true;
    const { clock, deadlines } = this.#options.network;
    const leftMs = Math.max(0, waiter.endMs - clock.elapsedMs());
    const late = (): void => this.#leave(waiter, giveUpWaiting(waiter.limits));
    (waiter.release ??= []).push(deadlines.after(leftMs, late));
  }

  #follow(waiter: Waiter, signal: AbortSignal): void {
    const aborted = (): void => this.#leave(waiter, signal.reason);
    (waiter.release ??= []).push(followAbort(signal, aborted));
  }

  #leave(waiter: Waiter, reason: unknown): void {
    if (!settle(waiter)) return;
    waiter.reject(reason);
    const { wanted } = waiter;
    if (wanted.flight?.waiting === 0) wanted.flight.abandoned.abort(reason);
    if (wanted.flight === undefined && wanted.waiting === 0) this.#wanted.delete(wanted.key);
  }
}

/** What `take` makes of a kept entry. */
export function takeKept<T>(key: string, kept: ReceivedEntry, take: Take<T>): Promise<T> {
  try {
    return Promise.resolve(take(key, kept, true));
  } catch (cause) {
    return Promise.reject(cause as Error);
  }
}

/** Marks a waiter as done. Returns whether it was not. */
function settle(waiter: Waiter): boolean {
  if (waiter.isDone) return false;
  waiter.isDone = true;
  const { wanted, release } = waiter;
  wanted.waiting -= 1;
  if (wanted.flight !== undefined) wanted.flight.waiting -= 1;
  if (release !== undefined) for (const each of release) each();
  return true;
}

/** Who of all waits longest. */
function lastOf(batch: readonly Wanted[]): Waiter {
  let last: Waiter | undefined;
  for (const { waiters } of batch) {
    for (const waiter of waiters) {
      if (!waiter.isDone && (last === undefined || waiter.endMs > last.endMs)) last = waiter;
    }
  }
  if (last === undefined) throw new Error("Expected somebody to wait for a key that is wanted");
  return last;
}
