/**
 * Gets the first nodes of a client: those that the directory names, or else the seeds. `connect` waits for them;
 * a lazy client asks with its first call. If no directory answered the last time, a call waits at most
 * 40 ms for an answer now, and then fails.
 */
import { asMeridianError, MeridianError } from "@meridian/protocol";
import { Backoff, type Random } from "@meridian/runtime";

import type { Directories } from "./directories.ts";
import type { NodeInfo, Wanted } from "./directory.ts";
import type { Network } from "./exchange.ts";
import { NoAnswer } from "./no-answer.ts";
import { followAbort } from "./follow-abort.ts";
import type { Keeper } from "./keeper.ts";
import type { NodePool } from "./node-pool.ts";
import { pause } from "./pause.ts";

/** The parts and limits of an opening. */
export interface OpeningOptions {
  readonly network: Network;
  readonly random: Random;
  readonly directories: Directories;
  /** Undefined for a client of fixed nodes. */
  readonly wanted: Wanted | undefined;
  readonly fixed: readonly NodeInfo[];
  /** Whether the pool has seeds. */
  readonly seeded: boolean;
  readonly pool: NodePool;
  readonly keeper: Keeper;
  /** How long a directory may be silent. */
  readonly attemptMs: number;
  /** Ends everything when the client is closed. */
  readonly closed: AbortSignal;
}

/** When a wait ends at the latest. */
export interface OpeningPatience {
  /** On the clock's `elapsedMs`. */
  readonly endMs: number;
  readonly signal: AbortSignal | undefined;
}

const SPACING_MS = 100;
const KNOWN_MS = 40;

/** Fills the pool of a client once. */
export class Opening {
  readonly #options: OpeningOptions;
  #done = false;
  #asking: Promise<void> | undefined;
  #askedAtMs = -Infinity;
  /** Why there are no nodes yet. */
  #failure: MeridianError | undefined;

  constructor(options: OpeningOptions) {
    this.#options = options;
  }

  /** Whether there are nodes to call. */
  get isDone(): boolean {
    return this.#done;
  }

  /** Asks until there are nodes or `endMs` is reached. Throws the last error of the directories. */
  async insist({ endMs, signal }: OpeningPatience): Promise<void> {
    const { network, random, directories } = this.#options;
    const pauses = new Backoff({ random, firstMs: 100, maxMs: 1_000 });
    for (;;) {
      await this.#ask(endMs, signal);
      if (this.#done) return;
      const failure = this.#failure;
      const pauseMs = Math.max(pauses.nextMs(), directories.restMs);
      const late = network.clock.elapsedMs() + pauseMs >= endMs;
      if (failure !== undefined && (late || !failure.retryable)) throw failure;
      await pause(network, pauseMs, signal);
      signal?.throwIfAborted();
    }
  }

  /** Resolves once there are nodes. Throws the error of the directories, such as `DIRECTORY_UNREACHABLE`, or the signal's reason. */
  async wait({ endMs, signal }: OpeningPatience): Promise<void> {
    const { network, closed } = this.#options;
    const nowMs = network.clock.elapsedMs();
    const known = this.#failure !== undefined;
    if (this.#asking === undefined && nowMs - this.#askedAtMs >= SPACING_MS) {
      this.#askedAtMs = nowMs;
      this.#asking = this.#ask(Infinity, closed)
        // Waiting calls get `#failure`, or the reason of their signal when the client is closed.
        .catch(() => {})
        .finally(() => {
          this.#asking = undefined;
        });
    }
    const leftMs = known ? Math.min(KNOWN_MS, endMs - nowMs) : endMs - nowMs;
    await this.#orLater(this.#asking ?? Promise.resolve(), leftMs, signal);
    signal?.throwIfAborted();
    if (this.#done) return;
    const message = "Expected an answer of the directory within the deadline, got none";
    throw this.#failure ?? new MeridianError("DIRECTORY_UNREACHABLE", message);
  }

  /** Asks the directories once. Sets either the nodes or `#failure`; throws only the signal's reason. */
  async #ask(endMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { wanted, fixed, directories, seeded, attemptMs, network } = this.#options;
    if (wanted === undefined) return this.#open(fixed, false);
    const latestMs = network.clock.elapsedMs() + attemptMs * directories.count;
    const patience = { quietMs: attemptMs, endMs: Math.min(endMs, latestMs), signal };
    try {
      this.#open(await directories.nearest({ wanted, patience }), true);
    } catch (cause) {
      signal?.throwIfAborted();
      const failure = asMeridianError(cause);
      // What an attempt said that had its time says more.
      if (this.#failure === undefined || !isCutShort(failure)) this.#failure = failure;
      if (seeded && failure.retryable) this.#open([], false);
    }
  }

  #open(nodes: readonly NodeInfo[], answered: boolean): void {
    const { pool, keeper, network } = this.#options;
    if (this.#done) return;
    this.#done = true;
    pool.update(nodes, network.clock.elapsedMs());
    keeper.start(answered);
  }

  /** Waits for `work`, which never rejects, or until the time is over or the signal aborts. */
  async #orLater(
    work: Promise<void>,
    leftMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    let cancel = (): void => {};
    let unfollow = (): void => {};
    const end = new Promise<void>((resolve) => {
      cancel = this.#options.network.deadlines.after(Math.max(0, leftMs), resolve);
      unfollow = followAbort(signal, resolve);
    });
    await Promise.race([work, end]);
    cancel();
    unfollow();
  }
}

/** Whether the caller's time was over before the directories had theirs. */
function isCutShort({ cause }: MeridianError): boolean {
  return cause instanceof NoAnswer && cause.kind === "cut-short";
}
