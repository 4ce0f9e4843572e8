import { eitherOf } from "./either-of.ts";
import { exchange, type Network } from "./exchange.ts";
import { NoAnswer } from "./no-answer.ts";
import type { PooledNode } from "./node-pool.ts";

/** When a node that works on a request is given up. */
export interface LifeBounds {
  /** How long it may give no sign of life, in milliseconds. */
  readonly budgetMs: number;
  /** Ends the request early. */
  readonly signal: AbortSignal;
  /** Ends every question when the client is closed. */
  readonly closed: AbortSignal;
}

/**
 * Asks a node, over and over, whether it lives, while it works on a request that may take long; ends that
 * request when it does not. All requests at one node ask one question at a time.
 */
export class LifeSigns {
  readonly #network: Network;
  readonly #node: PooledNode;
  readonly #everyMs: number;
  /** The node has so long for the request in any case, on the clock's `elapsedMs`: its deadline reckons with that. */
  readonly #notBeforeMs: number;
  readonly #closed: AbortSignal;
  readonly #hung = new AbortController();
  #isStopped = false;
  /** What the request is to follow. */
  readonly signal: AbortSignal;
  readonly #release: () => void;
  #cancel: () => void = () => {};

  constructor(network: Network, node: PooledNode, { budgetMs, signal, closed }: LifeBounds) {
    this.#network = network;
    this.#node = node;
    this.#everyMs = budgetMs / 2;
    this.#notBeforeMs = network.clock.elapsedMs() + budgetMs;
    this.#closed = closed;
    const either = eitherOf(signal, this.#hung.signal);
    this.signal = either.signal;
    this.#release = either.release;
    this.#schedule();
  }

  stop(): void {
    this.#cancel();
    this.#isStopped = true;
    this.#release();
  }

  #schedule(): void {
    this.#cancel = this.#network.deadlines.after(this.#everyMs, () => void this.#ask());
  }

  async #ask(): Promise<void> {
    const node = this.#node;
    node.lifeSign ??= this.#askNode().finally(() => {
      node.lifeSign = undefined;
    });
    try {
      await node.lifeSign;
      if (!this.#isStopped) this.#schedule();
    } catch (cause) {
      const { clock, deadlines } = this.#network;
      const end = (): void =>
        this.#hung.abort(new NoAnswer("no sign of life", "silent", true, cause));
      const leftMs = this.#notBeforeMs - clock.elapsedMs();
      if (this.#isStopped) return;
      if (leftMs > 0) this.#cancel = deadlines.after(leftMs, end);
      else end();
    }
  }

  async #askNode(): Promise<void> {
    const url = `${this.#node.info.url}/healthz`;
    const patience = { quietMs: this.#everyMs, endMs: Infinity, signal: this.#closed };
    await exchange(this.#network, { method: "GET", url }, patience);
  }
}
