/**
 * Sets that are paced by the clock, not by answers (an open loop), so that a slow moment is not hidden by sending less; and when another node hears of each.
 */
import { until } from "@meridian/local-cluster";

/** How long the last set of a run may take until it is heard of, in milliseconds. */
const PATIENCE_MS = 60_000;

/** Sets a key, and resolves once that is answered. */
export type SetKey = (key: string) => Promise<void>;

/** When each set of a run was due, sent, answered, and heard of. In milliseconds of one clock; NaN for not yet. */
export class Timeline {
  readonly name: string;
  readonly count: number;
  readonly dueMs: Float64Array;
  readonly sentMs: Float64Array;
  readonly answeredMs: Float64Array;
  readonly heardMs: Float64Array;
  #heard = 0;

  /** `name` must differ from those of other runs: the keys begin with it. */
  constructor(name: string, count: number) {
    const times = (): Float64Array => new Float64Array(count).fill(NaN);
    this.name = name;
    this.count = count;
    this.dueMs = times();
    this.sentMs = times();
    this.answeredMs = times();
    this.heardMs = times();
  }

  /** Notes that a key has been heard of, if it is of this run and for the first time. */
  hear(key: string): void {
    const [name, index] = key.split("/");
    if (name !== this.name || !Number.isNaN(this.heardMs[Number(index)])) return;
    this.heardMs[Number(index)] = performance.now();
    this.#heard += 1;
  }

  /**
   * Sends the sets, each when it is due or as soon after as `take` gives something to send it with, and waits until all are answered and heard of.
   * Rejects as soon as one fails.
   */
  async send(rate: number, take: () => SetKey | undefined): Promise<void> {
    const startMs = performance.now();
    const answers: Promise<void>[] = [];
    const sendOne = async (set: SetKey, index: number): Promise<void> => {
      this.dueMs[index] = startMs + (index * 1_000) / rate;
      this.sentMs[index] = performance.now();
      await set(`${this.name}/${index}`);
      this.answeredMs[index] = performance.now();
    };
    while (answers.length < this.count) {
      const elapsedMs = performance.now() - startMs;
      const due = Math.min(this.count, Math.floor((elapsedMs * rate) / 1_000) + 1);
      while (answers.length < due) {
        const set = take();
        if (set === undefined) break;
        answers.push(sendOne(set, answers.length));
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(answers);
    await until("all sets are heard of", () => this.#heard === this.count, PATIENCE_MS);
  }
}

/** How long it took from one moment to another, in milliseconds, in ascending order. */
export function differences(from: Float64Array, to: Float64Array): Float64Array {
  return to.map((time, index) => time - (from[index] ?? NaN)).toSorted();
}

/** The smallest value that `share` of the values do not exceed. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}
