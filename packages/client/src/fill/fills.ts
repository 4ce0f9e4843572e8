/**
 * `getOrSet`: returns a value from the cluster, or from a loader, whose value is then stored.
 *
 * The reader decides how fresh an entry is: it is fresh for `ttl` from when it was written, which its etag says. To keep stale values,
 * an entry is written with a longer time to live: `ttl` plus the time for which stale values are allowed.
 *
 * Of all calls for a key in this process, one loads; the others wait for its value. If a call has read and found no value before a load
 * ended, it reads again, so that it does not load what the other load has stored.
 *
 * A loaded value is stored only if the entry is still the one that was read: a value that another program has set meanwhile is newer.
 * The call returns the loaded value in any case.
 */
import { MeridianError } from "@meridian/protocol";

import { bareEtag, type ReceivedEntry } from "../answers.ts";
import type { Caller, NodeAnswer } from "../caller.ts";
import type { ClusterTime } from "../cluster-time.ts";
import { eitherOf } from "../either-of.ts";
import type { Network } from "../exchange.ts";
import { orAborted } from "../or-aborted.ts";
import type { Reads } from "../reads.ts";
import { deleteRequest, limitsOf, setRequest, type Write } from "../requests.ts";
import type { CallLimits } from "../run.ts";
import { ABSENT, ABSENT_TYPE, type Shape } from "../shape.ts";
import type { EncodedValue, ReceivedValue } from "../values.ts";
import { Fill } from "./fill.ts";
import { fillPlanOf, type FillOptions, type FillPlan, type Loader } from "./fill-options.ts";
import { acquireLease, releaseLease } from "./region-lease.ts";
import { freshnessOf, type Freshness } from "./freshness.ts";

/** The parts that fills use. */
export interface FillsOptions {
  readonly caller: Caller;
  readonly reads: Reads;
  readonly network: Network;
  readonly time: ClusterTime;
  /** As of a keyspace. */
  readonly write: (write: Write) => Promise<NodeAnswer>;
  /** Ends everything when the client is closed. */
  readonly closed: AbortSignal;
  readonly deadlineMs: number;
}

/** One `getOrSet`: the key, the loader and the shape of values. */
export interface FillRequest<In, Out> {
  /** The whole key, which was checked. */
  readonly key: string;
  /** The key that the loader gets. */
  readonly name: string;
  readonly load: Loader<In, Out>;
  readonly shape: Shape<In, Out>;
}

/** A key that is asked for. */
interface AskedKey {
  calls: number;
  /** How many loads have stored a value since the first of the present calls. */
  stored: number;
  fill: Fill | undefined;
}

/** An entry that was read. */
interface Held {
  readonly entry: ReceivedEntry;
  readonly etag: string;
  readonly freshness: Freshness;
}

/** The result of a read: an entry, undefined for none, or `unreachable` if no node answers. */
type Look = Held | undefined | "unreachable";

/** How often a key is read again because it was stored meanwhile. */
const LOOKS_MAX = 3;

/** Fills the keys of a client. */
export class Fills {
  readonly #options: FillsOptions;
  /** Invariant: a key is here while a call for it, or a load, is under way. */
  readonly #asked = new Map<string, AskedKey>();

  constructor(options: FillsOptions) {
    this.#options = options;
  }

  /** How many loads are under way. */
  get underWay(): number {
    return [...this.#asked.values()].filter(({ fill }) => fill?.isOver === false).length;
  }

  /** The value of a key, or undefined where the loader finds none. */
  async getOrSet<In, Out>(
    request: FillRequest<In, Out>,
    options: FillOptions,
  ): Promise<Out | undefined> {
    const plan = fillPlanOf("`getOrSet`", options);
    const limits = limitsOf(options, this.#options.deadlineMs);
    checkLoader(request.load);
    const asked = this.#enter(request.key);
    try {
      return await this.#answer(asked, request, plan, limits);
    } finally {
      this.#leave(request.key, asked);
    }
  }

  async #answer<In, Out>(
    asked: AskedKey,
    request: FillRequest<In, Out>,
    plan: FillPlan,
    limits: CallLimits,
  ): Promise<Out | undefined> {
    const { key, shape } = request;
    const held = await this.#look(asked, key, plan, limits);
    const found = held === "unreachable" ? undefined : held;
    const value = found && (await shape.decode(key, found.entry, true));
    if (found?.freshness === "fresh") return value;
    const fill = this.#join(asked, request, plan, held);
    if (found?.freshness === "refresh") {
      fill.detach();
      return value;
    }
    const mayFallBack = found?.freshness === "fallback";
    if (mayFallBack && plan.softMs !== undefined) {
      const { deadlines } = this.#options.network;
      const over = fill.isOverWithin(plan.softMs, (ms, then) => deadlines.after(ms, then));
      if (!(await orAborted(over, limits.signal))) {
        fill.detach();
        return value;
      }
    }
    let loaded: ReceivedValue | undefined;
    try {
      loaded = await fill.wait(limits.signal);
    } catch (cause) {
      if (!mayFallBack || limits.signal?.aborted === true || isOurs(cause)) throw cause;
      return value;
    }
    return loaded && (await shape.decode(key, loaded, true));
  }

  /** Reads a key, again where a load has stored it meanwhile. */
  async #look(asked: AskedKey, key: string, plan: FillPlan, limits: CallLimits): Promise<Look> {
    for (let looks = 1; ; looks += 1) {
      const { stored } = asked;
      const held = await this.#read(key, plan, limits);
      const isGood = typeof held === "object" && held.freshness === "fresh";
      if (isGood || asked.stored === stored || looks === LOOKS_MAX) return held;
    }
  }

  async #read(
    key: string,
    plan: FillPlan,
    limits: CallLimits,
    how: "read" | "fetch" = "read",
  ): Promise<Look> {
    const { reads, time } = this.#options;
    try {
      return await reads[how](key, limits, (_, entry): Held => {
        const etag = bareEtag(entry.etag);
        const ageMs = time.ageMsOf(etag);
        const isAbsent = entry.contentType === ABSENT_TYPE;
        return { entry, etag, freshness: isAbsent ? "fresh" : freshnessOf(plan, etag, ageMs) };
      });
    } catch (cause) {
      if (cause instanceof MeridianError && cause.retryable) return "unreachable";
      throw cause;
    }
  }

  /** The load of a key that is under way, or a new one. */
  #join<In, Out>(asked: AskedKey, request: FillRequest<In, Out>, plan: FillPlan, held: Look): Fill {
    if (asked.fill?.isOver === false) return asked.fill;
    asked.calls += 1;
    const run = async (signal: AbortSignal): Promise<ReceivedValue | undefined> => {
      try {
        if (!plan.regional || held === "unreachable") {
          return await this.#fill(asked, request, plan, held, signal);
        }
        return await this.#fillInTurn(asked, request, plan, held, signal);
      } finally {
        this.#leave(request.key, asked);
      }
    };
    asked.fill = new Fill(run, this.#options.closed);
    return asked.fill;
  }

  /** Loads and stores a value once it has the lease of the key, unless another process has done so meanwhile. */
  async #fillInTurn<In, Out>(
    asked: AskedKey,
    request: FillRequest<In, Out>,
    plan: FillPlan,
    held: Held | undefined,
    signal: AbortSignal,
  ): Promise<ReceivedValue | undefined> {
    const { clock } = this.#options.network;
    const { key } = request;
    const { hardMs } = plan;
    // Time for two loads: of a process that dies, and of the one that gets the lease after it.
    const endMs = clock.elapsedMs() + 2 * hardMs;
    for (;;) {
      const leftMs = endMs - clock.elapsedMs();
      const id = await acquireLease(this.#options, key, hardMs, leftMs, signal);
      if (id === undefined) return this.#fill(asked, request, plan, held, signal);
      try {
        const { deadlineMs } = this.#options;
        // The value that this process keeps may be older than the one that the other process has loaded.
        const now = await this.#read(key, plan, { deadlineMs, signal }, "fetch");
        if (isUsable(now) && now.etag !== held?.etag) return now.entry;
        // Another process still holds the lease; its `hardTimeoutMs` may be longer.
        if (id !== null || clock.elapsedMs() >= endMs) {
          return await this.#fill(asked, request, plan, now, signal);
        }
      } finally {
        if (typeof id === "string") releaseLease(this.#options, key, id);
      }
    }
  }

  /** Loads and stores a value. */
  async #fill<In, Out>(
    asked: AskedKey,
    request: FillRequest<In, Out>,
    plan: FillPlan,
    held: Look,
    signal: AbortSignal,
  ): Promise<ReceivedValue | undefined> {
    const { key, shape } = request;
    const found = held === "unreachable" ? undefined : held;
    const stale = found && (await shape.decode(key, found.entry, true));
    const value = await this.#load(request, stale, plan.hardMs, signal);
    const encoded =
      value === undefined ? undefined : await shape.encode(key, value, plan.contentType);
    if (held !== "unreachable") await this.#store(key, encoded, plan, held, signal);
    asked.stored += 1;
    return encoded;
  }

  /** What the loader gives. Throws what it throws, and `LOAD_TIMEOUT`. */
  async #load<In, Out>(
    { key, name, load }: FillRequest<In, Out>,
    stale: Out | undefined,
    hardMs: number,
    signal: AbortSignal,
  ): Promise<In | undefined> {
    signal.throwIfAborted();
    const limit = new AbortController();
    const said = `Expected a value of \`${key}\` from its loader within ${hardMs} ms, got none`;
    const timeout = new MeridianError("LOAD_TIMEOUT", said, { details: { key } });
    const cancel = this.#options.network.deadlines.after(hardMs, () => limit.abort(timeout));
    const either = eitherOf(limit.signal, signal);
    try {
      const loading = (async () => load({ key: name, signal: either.signal, stale }))();
      return await orAborted(loading, either.signal);
    } finally {
      either.release();
      cancel();
    }
  }

  /** Stores the loaded value, or deletes the entry if the loader found none. Never throws: the call returns the value in any case. */
  async #store(
    key: string,
    value: EncodedValue | undefined,
    plan: FillPlan,
    held: Held | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { write, deadlineMs } = this.#options;
    const condition = held === undefined ? { ifAbsent: true } : { ifMatch: held.etag };
    const ttlMs = value === undefined ? plan.negativeMs : livingMs(plan);
    if (value === undefined && ttlMs === undefined && held === undefined) return;
    try {
      await write(
        value === undefined && ttlMs === undefined
          ? deleteRequest(key, condition, deadlineMs)
          : setRequest(key, value ?? ABSENT, { ...condition, ttlMs, signal }, deadlineMs),
      );
    } catch {
      // Another program has set a value, or no node takes this one.
    }
  }

  #enter(key: string): AskedKey {
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      asked = { calls: 0, stored: 0, fill: undefined };
      this.#asked.set(key, asked);
    }
    asked.calls += 1;
    return asked;
  }

  #leave(key: string, asked: AskedKey): void {
    asked.calls -= 1;
    if (asked.calls === 0) this.#asked.delete(key);
  }
}

/** Whether an entry may be given without a load. */
function isUsable(look: Look): look is Held {
  return typeof look === "object" && (look.freshness === "fresh" || look.freshness === "refresh");
}

/** How long what is loaded lives; undefined for ever. */
function livingMs({ freshMs, staleMs, staleIfErrorMs }: FillPlan): number | undefined {
  return freshMs === Infinity ? undefined : freshMs + Math.max(staleMs, staleIfErrorMs);
}

/** Whether the error must reach the caller although there is a stale value. */
function isOurs(cause: unknown): boolean {
  if (!(cause instanceof MeridianError)) return false;
  return cause.code === "INVALID_ARGUMENT" || cause.code === "CLIENT_CLOSED";
}

function checkLoader(load: unknown): void {
  if (typeof load === "function") return;
  const said = `Expected a function that loads the value, got ${typeof load}`;
  throw new MeridianError("INVALID_ARGUMENT", said);
}
