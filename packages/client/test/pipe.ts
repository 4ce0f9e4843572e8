import type { TestClock } from "../src/testing/index.ts";

/** The network that a pipe is a part of. */
export interface PipeWorld {
  readonly clock: TestClock;
  readonly chance: () => number;
  /** The longest delay, in milliseconds. */
  readonly delayMs: number;
  /** Whether what is sent arrives only later. */
  readonly hold: boolean;
}

/** Carries what is sent: each arrives later, in its order. */
export class Pipe<Item> {
  readonly #world: PipeWorld;
  readonly #deliver: (item: Item) => void;
  readonly #holds: boolean;
  readonly #underWay: Item[] = [];
  #arrivesAtMs = 0;
  #isOver = false;

  /** Where it `holds`, what is sent arrives only once the world lets it go. */
  constructor(world: PipeWorld, deliver: (item: Item) => void, holds = true) {
    this.#world = world;
    this.#deliver = deliver;
    this.#holds = holds;
  }

  send(item: Item): void {
    const { clock, delayMs, chance } = this.#world;
    const nowMs = clock.elapsedMs();
    this.#arrivesAtMs = Math.max(this.#arrivesAtMs, nowMs + 1 + Math.floor(chance() * delayMs));
    this.#underWay.push(item);
    clock.after(this.#arrivesAtMs - nowMs, () => this.#hand());
  }

  /** What is on its way is lost, and what is sent from now on. */
  end(): void {
    this.#isOver = true;
  }

  /** Hands over what was sent first, unless it is held. */
  #hand(): void {
    const { clock, hold } = this.#world;
    if (this.#isOver) return;
    if (hold && this.#holds) return void clock.after(5, () => this.#hand());
    const [item] = this.#underWay.splice(0, 1);
    if (item !== undefined) this.#deliver(item);
  }
}
