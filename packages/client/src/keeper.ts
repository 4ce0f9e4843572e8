/**
 * The background work of a client: it refreshes the list of nodes, and checks nodes that are not trusted,
 * because they have failed or are new. It sends one request to the directory at a time, at
 * most one a second; and one check at a time to each node, with back-off while the node is not ready. All delays are jittered.
 *
 * With each refresh, it measures the round trips to the nearest nodes by a few requests to each.
 *
 * A node is trusted again once every check for some time has shown that it is ready and that its lag, as the directory
 * reports it, is within the bound. If no directory answers, the node's own answer is enough.
 */
import { Backoff, type Random } from "@meridian/runtime";

import type { Attempt } from "./circuit.ts";
import type { Directories } from "./directories.ts";
import type { NodeInfo, Wanted } from "./directory.ts";
import { exchange, type Network } from "./exchange.ts";
import { NoAnswer } from "./no-answer.ts";
import type { NodePool, PooledNode } from "./node-pool.ts";

/** The parts and limits of a keeper. */
export interface KeeperOptions {
  readonly network: Network;
  readonly random: Random;
  readonly pool: NodePool;
  /** None where the nodes are fixed: then nothing is refreshed. */
  readonly directories: Directories;
  readonly wanted: Wanted | undefined;
  /** How long one request may take, in milliseconds. */
  readonly attemptMs: number;
  /** The longest time between two refreshes that succeed. */
  readonly refreshMs: number;
  /** A node whose lag is greater than this, in milliseconds, does not take over. */
  readonly failbackLagMs: number;
  /** Ends every exchange when the client is closed. */
  readonly signal: AbortSignal;
}

/** How a request failed. */
export interface Failure {
  /** One such failure is enough to leave the node. */
  readonly decided: boolean;
  /** How long the node asks to be left alone. */
  readonly restMs: number;
  /** The node gave no answer at all. */
  readonly silent: boolean;
  /** What went wrong, for people. */
  readonly reason: string;
}

const REFRESH_SPACING_MS = 1_000;
/** Where every circuit is open: how often all nodes are looked at for a call, and how long it waits for that. */
const REVIVAL_SPACING_MS = 100;
const REVIVAL_MS = 40;
/** Of how many nodes round trips are measured, and how many each time. */
const MEASURED_MAX = 4;
const MEASUREMENTS = 3;
/** How often a node is looked at while it looks well but is not trusted yet. */
const LOOK_MS = 1_000;

/** Keeps a pool of nodes true. */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #retries: Backoff;
  #cancelRefresh: () => void = () => {};
  #refreshAtMs = Infinity;
  #lastRefreshMs = -Infinity;
  #lastAnswered = false;
  #refreshing: Promise<boolean> | undefined;
  #measuring = false;
  #revivedAtMs = -Infinity;
  #reviving: Promise<void> | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    const { random, refreshMs } = options;
    this.#retries = new Backoff({ random, firstMs: REFRESH_SPACING_MS, maxMs: refreshMs });
  }

  /** Begins to refresh; the pool has just been filled, by the directory if that has `answered`. */
  start(answered: boolean): void {
    this.#lastRefreshMs = this.#nowMs;
    this.#lastAnswered = answered;
    const { refreshMs } = this.#options;
    this.#scheduleRefresh(answered ? this.#jittered(refreshMs) : this.#retries.nextMs());
    this.#lookAfterAll();
  }

  /** A request to `node` failed: its circuit may open, and then the list may be out of date. */
  failed(node: PooledNode, attempt: Attempt, failure: Failure): void {
    const { decided, restMs, silent, reason } = failure;
    const nowMs = this.#nowMs;
    node.unreachable = silent;
    node.lastFailure = reason;
    if (restMs > 0) node.restsUntilMs = nowMs + restMs;
    if (!node.circuit.failed(attempt, decided)) return;
    node.slots.dismiss();
    node.probation.begin(nowMs);
    this.#lookAfterAll();
    this.#refreshSoon();
  }

  /** Asks the directory as soon as that may be. */
  #refreshSoon(): void {
    const spacingMs = this.#lastRefreshMs + REFRESH_SPACING_MS - this.#nowMs;
    const restMs = Math.max(0, spacingMs, this.#options.directories.restMs);
    this.#scheduleRefresh(restMs + this.#jittered(250));
  }

  /** A request to `node` succeeded. */
  succeeded(node: PooledNode, attempt: Attempt): void {
    node.checks.reset();
    node.unreachable = false;
    node.circuit.succeeded(attempt);
  }

  /**
   * With every circuit open: looks at all nodes now, unless somebody has just done so. Resolves, within 40 ms, to
   * whether a circuit lets a request through again. Where nothing listens any more, that is known at once; a node
   * that takes longer to answer serves the next call. The directory is asked again, too: it may know of other nodes by now.
   */
  async revive(leftMs: number): Promise<boolean> {
    const { pool } = this.#options;
    this.#refreshSoon();
    if (this.#reviving === undefined && this.#nowMs - this.#revivedAtMs >= REVIVAL_SPACING_MS) {
      this.#revivedAtMs = this.#nowMs;
      this.#reviving = this.#lookAtAll(Math.min(REVIVAL_MS, leftMs)).finally(() => {
        this.#reviving = undefined;
      });
    }
    await this.#reviving;
    return !pool.isOpen;
  }

  /** Resolves once a node is ready, all have been looked at, or the time is over. */
  async #lookAtAll(patienceMs: number): Promise<void> {
    const { pool, network } = this.#options;
    const nodes = pool.nodes.filter(({ restsUntilMs }) => restsUntilMs <= this.#nowMs);
    let cancel = (): void => {};
    const patience = new Promise<void>((resolve) => {
      cancel = network.deadlines.after(patienceMs, resolve);
    });
    const ready = new Promise<void>((resolve) => {
      const looks = nodes.map(async (node) => {
        if (await this.#look(node)) resolve();
      });
      void Promise.all(looks).then(() => resolve());
    });
    await Promise.race([patience, ready]);
    cancel();
  }

  /** Asks the directory now. Resolves to whether it answered; never rejects. */
  refresh(): Promise<boolean> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #refresh(): Promise<boolean> {
    const { directories, wanted, pool, attemptMs, signal } = this.#options;
    if (wanted === undefined || signal.aborted) return false;
    let nodes: readonly NodeInfo[] | undefined;
    try {
      const endMs = this.#nowMs + attemptMs * directories.count;
      const patience = { quietMs: attemptMs, endMs, signal };
      nodes = await directories.nearest({ wanted, patience });
    } catch {
      // The known list goes on being used; the next refresh is scheduled below.
    }
    if (signal.aborted) return false;
    this.#lastRefreshMs = this.#nowMs;
    this.#lastAnswered = nodes !== undefined;
    this.#refreshAtMs = Infinity;
    if (nodes === undefined) {
      this.#scheduleRefresh(Math.max(this.#retries.nextMs(), directories.restMs));
      return false;
    }
    this.#retries.reset();
    pool.update(nodes, this.#nowMs);
    this.#lookAfterAll();
    this.#scheduleRefresh(this.#jittered(this.#options.refreshMs));
    void this.#measureAll();
    return true;
  }

  /** Measures the round trips to the nodes that are sent requests. One round at a time; never rejects. */
  async #measureAll(): Promise<void> {
    const { pool, signal } = this.#options;
    if (this.#measuring) return;
    this.#measuring = true;
    const nodes = pool.nodes.filter(({ circuit, listed }) => listed && circuit.state === "closed");
    await Promise.all(nodes.slice(0, MEASURED_MAX).map((node) => this.#measure(node)));
    this.#measuring = false;
    if (!signal.aborted) pool.arrange();
  }

  /** The shortest of a few round trips counts: the first may have had to connect. */
  async #measure({ info, roundTrips }: PooledNode): Promise<void> {
    const { network, attemptMs, signal } = this.#options;
    const { clock, ownLag } = network;
    let shortestMs = Infinity;
    try {
      for (let time = 0; time < MEASUREMENTS; time += 1) {
        const startMs = clock.elapsedMs();
        const lostBeforeMs = ownLag.lostMs;
        const patience = { quietMs: attemptMs, endMs: startMs + attemptMs, signal };
        await exchange(network, { method: "GET", url: `${info.url}/healthz` }, patience);
        const tookMs = clock.elapsedMs() - startMs - (ownLag.lostMs - lostBeforeMs);
        shortestMs = Math.min(shortestMs, Math.max(0, tookMs));
      }
      roundTrips.measured(shortestMs);
    } catch {
      // What a silence means is for the requests to find out.
    }
  }

  #scheduleRefresh(delayMs: number): void {
    const { network, wanted } = this.#options;
    const atMs = this.#nowMs + delayMs;
    if (wanted === undefined || atMs >= this.#refreshAtMs) return;
    this.#cancelRefresh();
    this.#refreshAtMs = atMs;
    this.#cancelRefresh = network.deadlines.after(delayMs, () => void this.refresh());
  }

  #lookAfterAll(): void {
    for (const node of this.#options.pool.nodes) {
      if (node.checking || (node.circuit.state === "closed" && node.probation.isOver)) continue;
      node.checking = true;
      const rest = Math.max(0, node.restsUntilMs - this.#nowMs);
      // The last look comes when the probation is over, and not up to a second later.
      const lookMs = Math.min(this.#jittered(LOOK_MS), node.probation.leftMs(this.#nowMs));
      const pauseMs = node.probation.isRunning ? Math.max(0, lookMs) : node.checks.nextMs();
      const delayMs = Math.max(pauseMs, rest);
      this.#options.network.deadlines.after(delayMs, () => void this.#lookAfter(node));
    }
  }

  async #lookAfter(node: PooledNode): Promise<void> {
    const { pool, signal } = this.#options;
    const { probation, checks } = node;
    const ready = pool.nodes.includes(node) && (await this.#look(node));
    const well = ready && (await this.#isOffered(node));
    if (!signal.aborted) {
      probation.looked(well, this.#nowMs);
      if (well) checks.reset();
    }
    node.checking = false;
    if (!signal.aborted) this.#lookAfterAll();
  }

  /** Whether a node is ready; its circuit is told. */
  #look(node: PooledNode): Promise<boolean> {
    node.looking ??= this.#isReady(node).then((ready) => {
      node.looking = undefined;
      if (this.#options.signal.aborted) return false;
      if (ready) node.circuit.halfOpen();
      else if (node.circuit.state === "half-open") node.circuit.open();
      return ready;
    });
    return node.looking;
  }

  /** Never rejects. */
  async #isReady(node: PooledNode): Promise<boolean> {
    const { network, attemptMs, signal } = this.#options;
    const endMs = this.#nowMs + attemptMs;
    try {
      const request = { method: "GET", url: `${node.info.url}/readyz` } as const;
      const answer = await exchange(network, request, { quietMs: attemptMs, endMs, signal });
      node.unreachable = false;
      if (answer.status !== 200) node.lastFailure = `/readyz answered HTTP ${answer.status}`;
      return answer.status === 200;
    } catch (cause) {
      node.unreachable = true;
      node.lastFailure = cause instanceof NoAnswer ? cause.message : String(cause);
      return false;
    }
  }

  /** Whether the directory would send clients to the node, and the node lags by no more than the bound. */
  async #isOffered(node: PooledNode): Promise<boolean> {
    const fresh = this.#nowMs - this.#lastRefreshMs < REFRESH_SPACING_MS;
    const answered = fresh ? this.#lastAnswered : await this.refresh();
    const { listed, info } = node;
    return !answered || (listed && (info.lagMs ?? 0) <= this.#options.failbackLagMs);
  }

  get #nowMs(): number {
    return this.#options.network.clock.elapsedMs();
  }

  #jittered(ceilingMs: number): number {
    return ceilingMs * (0.5 + 0.5 * this.#options.random.next());
  }
}
