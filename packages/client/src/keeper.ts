/**
 * What goes on behind the requests: refreshing the list of nodes, and finding out when a node that failed is ready
 * again. Bounded: one question to the directory at a time, at most one a second; one check per failed node at a
 * time, with back-off. All delays are jittered.
 */
import { Backoff, type Random } from "@meridian/runtime";

import { nearestNodes, type NodeInfo, type Wanted } from "./directory.ts";
import { exchange, type Network } from "./exchange.ts";
import type { NodePool, PooledNode } from "./node-pool.ts";

/** What a keeper works with. */
export interface KeeperOptions {
  readonly network: Network;
  readonly random: Random;
  readonly pool: NodePool;
  /** Empty where the nodes are fixed: then nothing is refreshed. */
  readonly directories: readonly string[];
  readonly wanted: Wanted | undefined;
  /** How long one question may take. */
  readonly attemptMs: number;
  /** The longest time between two refreshes that succeed. */
  readonly refreshMs: number;
  /** Ends every exchange when the client is closed. */
  readonly signal: AbortSignal;
}

const REFRESH_SPACING_MS = 1_000;

/** Keeps a pool of nodes true. */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #retries: Backoff;
  #cancelRefresh: () => void = () => {};
  #refreshAtMs = Infinity;
  #lastRefreshMs = 0;
  #refreshing: Promise<boolean> | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    const { random, refreshMs } = options;
    this.#retries = new Backoff({ random, firstMs: REFRESH_SPACING_MS, maxMs: refreshMs });
  }

  /** Begins to refresh; the pool has just been filled. */
  start(): void {
    this.#lastRefreshMs = this.#options.network.clock.elapsedMs();
    this.#scheduleRefresh(this.#jittered(this.#options.refreshMs));
    this.#checkDown();
  }

  /** A request to `node` failed: it is not used until it is ready again, and the list may be out of date. */
  failed(node: PooledNode): void {
    if (!node.up) return;
    node.up = false;
    this.#checkDown();
    const { clock } = this.#options.network;
    const spacingMs = this.#lastRefreshMs + REFRESH_SPACING_MS - clock.elapsedMs();
    this.#scheduleRefresh(Math.max(0, spacingMs) + this.#jittered(250));
  }

  /** A request to `node` succeeded. */
  succeeded(node: PooledNode): void {
    node.checks.reset();
  }

  /** Asks the directory now. Resolves to whether it answered; never rejects. */
  refresh(): Promise<boolean> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #refresh(): Promise<boolean> {
    const { network, directories, wanted, pool, attemptMs, signal } = this.#options;
    if (wanted === undefined || signal.aborted) return false;
    let nodes: readonly NodeInfo[] | undefined;
    try {
      const endMs = network.clock.elapsedMs() + attemptMs * directories.length;
      const patience = { quietMs: attemptMs, endMs, signal };
      nodes = await nearestNodes(network, directories, wanted, patience);
    } catch {
      // The known list goes on being used; the next refresh is scheduled below.
    }
    if (signal.aborted) return false;
    this.#lastRefreshMs = network.clock.elapsedMs();
    this.#refreshAtMs = Infinity;
    if (nodes === undefined || nodes.length === 0) {
      this.#scheduleRefresh(this.#retries.nextMs());
      return false;
    }
    this.#retries.reset();
    pool.update(nodes);
    this.#checkDown();
    this.#scheduleRefresh(this.#jittered(this.#options.refreshMs));
    return true;
  }

  #scheduleRefresh(delayMs: number): void {
    const { network, wanted } = this.#options;
    const atMs = network.clock.elapsedMs() + delayMs;
    if (wanted === undefined || atMs >= this.#refreshAtMs) return;
    this.#cancelRefresh();
    this.#refreshAtMs = atMs;
    this.#cancelRefresh = network.deadlines.after(delayMs, () => void this.refresh());
  }

  #checkDown(): void {
    for (const node of this.#options.pool.nodes) {
      if (node.up || node.checking) continue;
      node.checking = true;
      this.#options.network.deadlines.after(node.checks.nextMs(), () => void this.#check(node));
    }
  }

  async #check(node: PooledNode): Promise<void> {
    const { pool, signal } = this.#options;
    const ready = pool.nodes.includes(node) && (await this.#isReady(node));
    // A node that the directory leaves out may be ready but lag: the directory decides, if it can be asked.
    if (ready && !signal.aborted) {
      const asked = !node.listed && (await this.refresh());
      if (node.listed || !asked) node.up = true;
    }
    node.checking = false;
    if (!signal.aborted) this.#checkDown();
  }

  async #isReady(node: PooledNode): Promise<boolean> {
    const { network, attemptMs, signal } = this.#options;
    const endMs = network.clock.elapsedMs() + attemptMs;
    try {
      const request = { method: "GET", url: `${node.info.url}/readyz` } as const;
      const answer = await exchange(network, request, { quietMs: attemptMs, endMs, signal });
      return answer.status === 200;
    } catch {
      return false;
    }
  }

  #jittered(ceilingMs: number): number {
    return ceilingMs * (0.5 + 0.5 * this.#options.random.next());
  }
}
