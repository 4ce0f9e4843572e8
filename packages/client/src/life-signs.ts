import { eitherOf } from "./either-of.ts";
import { exchange, NoAnswer, type Network } from "./exchange.ts";
import type { PooledNode } from "./node-pool.ts";

/** When a node that works on a request is given up. */
export interface LifeBounds {
  /** How long it may give no sign of life, in milliseconds. */
  readonly budgetMs: number;
  /** When the request ends anyway, on the clock's `elapsedMs`. */
  readonly endMs: number;
  /** Ends the request early. */
  readonly signal: AbortSignal;
}

/**
 * Asks a node, over and over, whether it lives, while it works on a request that may take long; ends that
 * request when it does not.
 */
export class LifeSigns {
  readonly #network: Network;
  readonly #node: PooledNode;
  readonly #everyMs: number;
  readonly #endMs: number;
  readonly #hung = new AbortController();
  readonly #stopped = new AbortController();
  /** What the request is to follow. */
  readonly signal: AbortSignal;
  readonly #release: () => void;
  #cancel: () => void = () => {};

  constructor(network: Network, node: PooledNode, { budgetMs, endMs, signal }: LifeBounds) {
    this.#network = network;
    this.#node = node;
    this.#everyMs = budgetMs / 2;
    this.#endMs = endMs;
    const either = eitherOf(signal, this.#hung.signal);
    this.signal = either.signal;
    this.#release = either.release;
    this.#schedule();
  }

  stop(): void {
    this.#cancel();
    this.#stopped.abort();
    this.#release();
  }

  #schedule(): void {
    this.#cancel = this.#network.deadlines.after(this.#everyMs, () => void this.#ask());
  }

  async #ask(): Promise<void> {
    const url = `${this.#node.info.url}/healthz`;
    const quietMs = this.#everyMs;
    const { signal } = this.#stopped;
    try {
      const patience = { quietMs, endMs: this.#endMs, signal };
      await exchange(this.#network, { method: "GET", url }, patience);
      if (!signal.aborted) this.#schedule();
    } catch (cause) {
      if (!signal.aborted) this.#hung.abort(new NoAnswer("no sign of life", "silent", true, cause));
    }
  }
}
