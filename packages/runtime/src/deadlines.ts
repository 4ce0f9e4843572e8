import type { Clock } from "./clock.ts";

interface Deadline {
  readonly atMs: number;
  /** Undefined once cancelled, so that the objects that it refers to can be collected at once. */
  callback: (() => void) | undefined;
}

/** Many deadlines on one timer. */
export class Deadlines {
  readonly #clock: Clock;
  /** A binary heap. Invariant: no deadline is earlier than its parent at (index - 1) >> 1. */
  #heap: Deadline[] = [];
  /** Cancelled deadlines that are still in the heap. Invariant: at most 64, or half of the heap. */
  #cancelled = 0;
  /** The deadlines whose moment this is. */
  #due: Deadline[] = [];
  #cancelTimer: (() => void) | undefined;
  #timerAtMs = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs `callback` once, `delayMs` from now, and returns the cancellation. */
  after(delayMs: number, callback: () => void): () => void {
    const deadline: Deadline = { atMs: this.#clock.elapsedMs() + delayMs, callback };
    this.#push(deadline);
    this.#schedule();
    return () => this.#cancel(deadline);
  }

  /** Forgets every deadline without running it. */
  clear(): void {
    for (const deadline of [...this.#heap, ...this.#due]) deadline.callback = undefined;
    this.#heap = [];
    this.#cancelled = 0;
    this.#schedule();
  }

  #cancel(deadline: Deadline): void {
    if (deadline.callback === undefined) return;
    deadline.callback = undefined;
    // One of `#due` has left the heap already. Counting it too only sweeps a little earlier.
    this.#cancelled += 1;
    if (this.#cancelled <= 64 || this.#cancelled * 2 <= this.#heap.length) return;
    const left = this.#heap.filter((other) => other.callback !== undefined);
    this.#heap = [];
    this.#cancelled = 0;
    for (const other of left) this.#push(other);
    this.#schedule();
  }

  #schedule(): void {
    const next = this.#heap[0]?.atMs ?? Infinity;
    if (next === this.#timerAtMs) return;
    this.#cancelTimer?.();
    this.#timerAtMs = next;
    this.#cancelTimer =
      next === Infinity
        ? undefined
        : this.#clock.after(Math.max(0, next - this.#clock.elapsedMs()), () => this.#run());
  }

  #run(): void {
    this.#timerAtMs = Infinity;
    this.#cancelTimer = undefined;
    const nowMs = this.#clock.elapsedMs();
    const due: Deadline[] = [];
    for (let first = this.#heap[0]; first !== undefined && first.atMs <= nowMs;) {
      if (first.callback === undefined) this.#cancelled -= 1;
      else due.push(first);
      this.#pop();
      first = this.#heap[0];
    }
    this.#due = due;
    this.#schedule();
    for (const deadline of due) {
      const { callback } = deadline;
      // Cancelling a deadline that has run must do nothing.
      deadline.callback = undefined;
      callback?.();
    }
    this.#due = [];
  }

  #push(deadline: Deadline): void {
    const heap = this.#heap;
    let index = heap.length;
    for (let parent = heap[(index - 1) >> 1]; index > 0 && parent && parent.atMs > deadline.atMs;) {
      heap[index] = parent;
      index = (index - 1) >> 1;
      parent = heap[(index - 1) >> 1];
    }
    heap[index] = deadline;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      let candidate = heap[child];
      if (candidate === undefined) break;
      const sibling = heap[child + 1];
      if (sibling !== undefined && sibling.atMs < candidate.atMs) {
        child += 1;
        candidate = sibling;
      }
      if (last.atMs <= candidate.atMs) break;
      heap[index] = candidate;
      index = child;
    }
    heap[index] = last;
  }
}
