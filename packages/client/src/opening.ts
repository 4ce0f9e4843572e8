/**
 * The first nodes of a client: those that the directory names, else the seeds. A client that connects waits for them;
 * a lazy one asks when its first call comes. Where nobody has answered the last time, a call waits no longer than
 * 40 ms for somebody to do so now, and goes on being answered by an error at once.
 */
import { asMeridianError, MeridianError } from "@meridian/protocol";
import { Backoff, type Random } from "@meridian/runtime";

import type { Directories } from "./directories.ts";
import type { NodeInfo, Wanted } from "./directory.ts";
import type { Network } from "./exchange.ts";
import { followAbort } from "./follow-abort.ts";
import type { Keeper } from "./keeper.ts";
import type { NodePool } from "./node-pool.ts";
import { pause } from "./pause.ts";

/** What an opening works with. */
export interface OpeningOptions {
  readonly network: Network;
  readonly random: Random;
  readonly directories: Directories;
  /** Undefined for a client of fixed nodes. */
  readonly wanted: Wanted | undefined;
  readonly fixed: readonly NodeInfo[];
  /** Whether the pool has nodes whatever the directory says. */
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

  /** Asks until there are nodes or the patience is over. Throws what the directories answered last. */
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

  /** Resolves once there are nodes. Throws `DIRECTORY_UNREACHABLE` and its like, or the signal's reason. */
  async wait({ endMs, signal }: OpeningPatience): Promise<void> {
    const { network, closed } = this.#options;
    const nowMs = network.clock.elapsedMs();
    const known = this.#failure !== undefined;
    if (this.#asking === undefined && nowMs - this.#askedAtMs >= SPACING_MS) {
      this.#askedAtMs = nowMs;
      this.#asking = this.#ask(Infinity, closed)
        // Those who wait are told by `#failure`; when the client is closed, by their signal.
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

  /** Asks the directories once. Leaves either nodes or a failure behind; throws only the signal's reason. */
  async #ask(endMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { wanted, fixed, directories, seeded, attemptMs, network } = this.#options;
    if (wanted === undefined) return this.#open(fixed, false);
    const latestMs = network.clock.elapsedMs() + attemptMs * directories.count;
    const patience = { quietMs: attemptMs, endMs: Math.min(endMs, latestMs), signal };
    try {
      this.#open(await directories.nearest({ wanted, patience }), true);
    } catch (cause) {
      signal?.throwIfAborted();
      this.#failure = asMeridianError(cause);
      if (seeded && this.#failure.retryable) this.#open([], false);
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
