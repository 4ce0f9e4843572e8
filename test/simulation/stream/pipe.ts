import type { Network } from "../network.ts";
import type { World } from "../world.ts";

/** After how many milliseconds what waits for a dead line is sent again. */
const DEAD_LINE_MS = 50;

/** How a pipe is made. */
export interface PipeOptions {
  readonly world: World;
  readonly network: Pick<Network, "passes">;
  readonly from: string;
  readonly to: string;
  /** How long the next message takes. */
  readonly delayMs: () => number;
  /** Whether the sender still has what waits. */
  readonly isThere: () => boolean;
}

/**
 * One direction of a connection to the servers of a stream. What is sent arrives in its order, even if its sender has died. While the line is cut, it is lost, or waits in the buffers of its
 * sender, and so does what is behind it.
 */
export class Pipe {
  readonly #options: PipeOptions;
  #arrivesAtMs = 0;
  #waiting: (() => void)[] = [];

  constructor(options: PipeOptions) {
    this.#options = options;
  }

  send(arrive: () => void): void {
    const { world, delayMs } = this.#options;
    this.#arrivesAtMs = Math.max(this.#arrivesAtMs, world.nowMs + delayMs());
    world.schedule(this.#arrivesAtMs - world.nowMs, () => this.#arrive(arrive));
  }

  #arrive(arrive: () => void): void {
    const { world, network, from, to } = this.#options;
    const isCut = !network.passes(from, to);
    if (!isCut && this.#waiting.length === 0) return arrive();
    if (isCut && world.chance(0.5)) return;
    this.#waiting.push(arrive);
    if (this.#waiting.length === 1) this.#tryLater();
  }

  #tryLater(): void {
    const { world, network, from, to, isThere } = this.#options;
    world.schedule(DEAD_LINE_MS, () => {
      if (!isThere()) this.#waiting = [];
      if (this.#waiting.length === 0) return;
      if (!network.passes(from, to)) return this.#tryLater();
      for (const arrive of this.#waiting.splice(0)) arrive();
    });
  }
}
