/**
 * A lock for the whole cluster: a key that one holder has set where it was absent, with a time to live, in the order of the directory (`scope: "cluster"`).
 *
 * The holder renews it while it works; a holder that dies, or is cut off, loses it when its time to live is over. It cannot know that at once: its process may stand
 * still meanwhile. So whatever it changes elsewhere is to check `fencing`, which is greater for each later holder.
 */
import { MeridianError } from "@meridian/protocol";
import {
  Backoff,
  Deadlines,
  systemClock,
  systemRandom,
  type Clock,
  type Random,
} from "@meridian/runtime";

import type { CallOptions } from "./call-options.ts";
import { isMeridianError } from "./is-meridian-error.ts";
import type { MeridianClient } from "./meridian-client.ts";
import { readSpanMs, refuseUnknown } from "./options.ts";
import { pause } from "./pause.ts";

/** How a lock is taken. */
export interface LockOptions {
  /** How long it is held without being renewed: text with a unit, such as `30s`. At least 100 ms. */
  readonly ttl?: string | undefined;
  /** The same in milliseconds, instead of `ttl`. */
  readonly ttlMs?: number | undefined;
  /** How long to wait for another holder: text with a unit. Default: not at all. */
  readonly wait?: string | undefined;
  /** The same in milliseconds, instead of `wait`. */
  readonly waitMs?: number | undefined;
  /** Whether the lock renews itself, each time that a third of its time to live has passed. Default true. */
  readonly renew?: boolean | undefined;
  /** Ends the wait; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** For tests. */
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

/** A lock that is held. */
export interface Lock extends AsyncDisposable {
  readonly key: string;
  /** A whole number, greater than that of every holder before. Hand it to what the lock protects, and have that refuse lower ones. */
  readonly fencing: number;
  /** Aborts once the lock is lost, or may be: it was not renewed in time, or another one has it. */
  readonly signal: AbortSignal;
  /** Holds the lock for its whole time to live from now on. Rejects with `PRECONDITION_FAILED` if it is lost. */
  renew(): Promise<void>;
  /** Lets go of the lock. Resolves to whether it was still held. A second call does nothing. */
  release(): Promise<boolean>;
}

/** The methods of a client that locks use. */
type LockingClient = Pick<MeridianClient, "set" | "getRaw" | "delete">;

/** The shortest time to live: the time that is left to renew has to be longer than a call takes. */
const TTL_MS_MIN = 100;

const OPTIONS = ["ttl", "ttlMs", "wait", "waitMs", "renew", "signal", "clock", "random"];

/** The first and the longest pause between two tries. */
const PAUSE_MS = 50;
const PAUSE_MS_MAX = 1_000;

/**
 * Takes the lock `key`. Rejects with `PRECONDITION_FAILED` if another one holds it for as long as the call may wait, and with `CONDITIONS_UNAVAILABLE` where nobody can
 * decide that.
 */
export async function lock(
  client: LockingClient,
  key: string,
  options: LockOptions,
): Promise<Lock> {
  refuseUnknown("`lock`", options, OPTIONS);
  const ttlMs = readSpanMs("ttl", options.ttl, options.ttlMs);
  if (ttlMs === undefined || ttlMs < TTL_MS_MIN) {
    const said = `Expected a \`ttl\` of at least ${TTL_MS_MIN} ms, got \`${ttlMs ?? "none"}\``;
    throw new MeridianError("INVALID_TTL", said);
  }
  const waitMs = readSpanMs("wait", options.wait, options.waitMs) ?? 0;
  const { signal, renew = true, clock = systemClock, random = systemRandom } = options;
  const owner = Array.from({ length: 4 }, () => random.next().toString(36).slice(2)).join("");
  const terms = { client, key, owner, ttlMs, clock };
  const endMs = clock.elapsedMs() + waitMs;
  const pauses = new Backoff({ random, firstMs: PAUSE_MS, maxMs: PAUSE_MS_MAX });
  const deadlines = new Deadlines(clock);
  for (;;) {
    signal?.throwIfAborted();
    const beganMs = clock.elapsedMs();
    try {
      const etag = await put(terms, { ifAbsent: true }, { signal });
      return new HeldLock(terms, etag, beganMs, renew);
    } catch (cause) {
      const pauseMs = pauses.nextMs();
      const mayPass =
        isMeridianError(cause) && (cause.retryable || cause.code === "PRECONDITION_FAILED");
      if (!mayPass || clock.elapsedMs() + pauseMs >= endMs) throw cause;
      await pause({ deadlines }, pauseMs, signal);
    }
  }
}

/** What stays the same of a lock. */
interface LockTerms {
  readonly client: LockingClient;
  readonly key: string;
  /** Tells the values of this holder from those of others. */
  readonly owner: string;
  readonly ttlMs: number;
  readonly clock: Clock;
}

/** Writes the lock by a condition, and resolves to its ETag. Where no answer came, it looks whether it was written. */
async function put(
  { client, key, owner, ttlMs }: LockTerms,
  condition: { readonly ifAbsent: true } | { readonly ifMatch: string },
  { signal }: CallOptions,
): Promise<string> {
  try {
    const written = await client.set(key, owner, {
      ...condition,
      contentType: "text/plain",
      ttlMs,
      signal,
      scope: "cluster",
    });
    return written.etag;
  } catch (cause) {
    if (!isMeridianError(cause, "OUTCOME_UNKNOWN")) throw cause;
    const held = await client.getRaw(key, { signal, scope: "cluster" });
    const isOwn = held !== undefined && new TextDecoder().decode(held.value) === owner;
    // What is there is from before the write if it has the old ETag: then nobody knows yet.
    if (!isOwn || ("ifMatch" in condition && held.etag === condition.ifMatch)) throw cause;
    return held.etag;
  }
}

class HeldLock implements Lock {
  readonly #terms: LockTerms;
  readonly #deadlines: Deadlines;
  readonly #lost = new AbortController();
  readonly fencing: number;
  #etag: string;
  /** By the clock of this process. */
  #heldUntilMs: number;
  #cancel: (() => void) | undefined;
  #renewing: Promise<void> | undefined;
  #isReleased = false;

  constructor(terms: LockTerms, etag: string, beganMs: number, renews: boolean) {
    this.#terms = terms;
    this.#deadlines = new Deadlines(terms.clock);
    this.#etag = etag;
    this.fencing = Number.parseInt(etag, 36);
    this.#heldUntilMs = beganMs + terms.ttlMs;
    this.#watch(renews);
  }

  get key(): string {
    return this.#terms.key;
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  renew(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renew(): Promise<void> {
    const { clock, ttlMs } = this.#terms;
    if (this.#isReleased || this.signal.aborted) throw lostError(this.key);
    const beganMs = clock.elapsedMs();
    try {
      this.#etag = await put(this.#terms, { ifMatch: this.#etag }, { signal: this.signal });
      this.#heldUntilMs = beganMs + ttlMs;
    } catch (cause) {
      if (isMeridianError(cause, "PRECONDITION_FAILED") || isMeridianError(cause, "NOT_SCOPED")) {
        this.#lose();
      }
      throw cause;
    }
  }

  async release(): Promise<boolean> {
    if (this.#isReleased) return false;
    this.#isReleased = true;
    this.#cancel?.();
    // A renewal under way would leave the lock held under another ETag.
    await this.#renewing?.catch(() => {});
    const { client, key } = this.#terms;
    if (this.signal.aborted) return false;
    try {
      await client.delete(key, { ifMatch: this.#etag, scope: "cluster" });
      return true;
    } catch (cause) {
      if (isMeridianError(cause, "PRECONDITION_FAILED")) return false;
      throw cause;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** Renews the lock when it is time, and says that it is lost when its time is over. */
  #watch(renews: boolean): void {
    const { clock, ttlMs } = this.#terms;
    const leftMs = this.#heldUntilMs - clock.elapsedMs();
    if (leftMs <= 0) return this.#lose();
    const isDue = renews && leftMs <= (2 * ttlMs) / 3;
    // A renewal that fails is tried again while there is time.
    if (isDue) void this.renew().catch(() => {});
    const nextMs = renews ? Math.min(leftMs, isDue ? ttlMs / 6 : leftMs - (2 * ttlMs) / 3) : leftMs;
    this.#cancel = this.#deadlines.after(Math.max(1, nextMs), () => this.#watch(renews));
  }

  #lose(): void {
    this.#cancel?.();
    this.#lost.abort(lostError(this.key));
  }
}

function lostError(key: string): MeridianError {
  const said = `Expected to hold the lock \`${key}\`, but it was released, or its time to live was over`;
  return new MeridianError("PRECONDITION_FAILED", said);
}
