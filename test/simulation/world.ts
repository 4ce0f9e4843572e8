import { seededRandom, type Clock, type Random } from "@meridian/runtime";

interface Event {
  readonly atMs: number;
  /** Events of one moment run in the order in which they were scheduled. */
  readonly order: number;
  readonly run: () => void;
}

/** Awaiting `settled` runs the reactions of promises that are already settled. */
const settled = Promise.resolve();

/** The timeline of one simulation: draws random numbers from its seed, and runs events in the order of their times. */
export class World {
  readonly random: Random;
  /** True time, which no process sees. */
  nowMs = 0;
  /** How many reactions of promises, one to the other, run before the next event. In a real process all do. */
  reactions = 2;
  readonly #events: Event[] = [];
  #order = 0;
  #isOver = false;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** A number in [low, high). */
  between(low: number, high: number): number {
    return low + this.random.next() * (high - low);
  }

  /** A whole number in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.random.next() * bound);
  }

  chance(probability: number): boolean {
    return this.random.next() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.below(choices.length)];
    if (choice === undefined) throw new Error("Expected something to pick from");
    return choice;
  }

  schedule(delayMs: number, run: () => void): void {
    const event = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, run };
    const heap = this.#events;
    let index = heap.length;
    for (;;) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (index === 0 || above === undefined || isBefore(above, event)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = event;
  }

  /** Runs events until `untilMs`. After each event, the reactions of promises that it has settled run before the next event. */
  async run(untilMs: number): Promise<void> {
    for (let next = this.#events[0]; next !== undefined && next.atMs <= untilMs;) {
      if (this.#isOver) break;
      this.#pop();
      this.nowMs = next.atMs;
      next.run();
      for (let reaction = 0; reaction < this.reactions; reaction += 1) await settled;
      next = this.#events[0];
    }
    this.nowMs = untilMs;
  }

  /** How many events have been scheduled. Two simulations of one seed that differ here have taken different courses. */
  get events(): number {
    return this.#order;
  }

  /** Drops all events that are to come: from now on only time passes. */
  end(): void {
    this.#isOver = true;
  }

  #pop(): void {
    const heap = this.#events;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      let below = heap[child];
      const sibling = heap[child + 1];
      if (below === undefined) break;
      if (sibling !== undefined && isBefore(sibling, below)) {
        child += 1;
        below = sibling;
      }
      if (isBefore(last, below)) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** How many reactions of promises run before the next event where the log is in a stream: all that its opening has. */
export const STREAM_REACTIONS = 30;

/** When simulations begin, in milliseconds since the Unix epoch. */
export const START_MS: number = Date.UTC(2026, 0, 1);

/** The clock of one process. Its wall time has the error of its machine's clock. Once the process has died, no timer fires. */
export class ProcessClock implements Clock {
  readonly #world: World;
  readonly #machine: { skewMs: number };
  #alive = true;
  #hangsUntilMs = 0;

  constructor(world: World, machine: { skewMs: number }) {
    this.#world = world;
    this.#machine = machine;
  }

  nowMs(): number {
    return START_MS + this.#world.nowMs + this.#machine.skewMs;
  }

  elapsedMs(): number {
    return this.#world.nowMs;
  }

  /** Whether the process has not died. */
  get isAlive(): boolean {
    return this.#alive;
  }

  after(delayMs: number, callback: () => void): () => void {
    let cancelled = false;
    this.#world.schedule(delayMs, () => {
      if (!cancelled) this.run(() => void (cancelled || callback()));
    });
    return () => {
      cancelled = true;
    };
  }

  /** Calls back now; once the process goes on, if it hangs; and never, if it has died. */
  run(callback: () => void): void {
    if (!this.#alive) return;
    const restMs = this.#hangsUntilMs - this.#world.nowMs;
    if (restMs <= 0) callback();
    else this.#world.schedule(restMs, () => this.run(callback));
  }

  /** The process does nothing for so long, and then goes on as if no time had passed. */
  hang(ms: number): void {
    this.#hangsUntilMs = this.#world.nowMs + ms;
  }

  die(): void {
    this.#alive = false;
  }
}
