/** Counts what is acknowledged, and how long nothing is. */
import { within } from "@meridian/local-cluster";

/** Without enough acknowledged writes for so long, the cluster is stuck. */
const STUCK_MS = 90_000;

/** What has come of a load so far. */
export class Progress {
  acknowledged = 0;
  unanswered = 0;
  /** The longest time without an acknowledgement since `mark`, in milliseconds. */
  gapMs = 0;
  #lastMs = performance.now();
  #waiting: { readonly count: number; readonly resolve: () => void } | undefined;

  mark(): void {
    this.gapMs = 0;
    this.#lastMs = performance.now();
  }

  /** Resolves once so many more writes have been acknowledged. */
  more(count: number): Promise<void> {
    const acknowledged = new Promise<void>((resolve) => {
      this.#waiting = { count: this.acknowledged + count, resolve };
    });
    return within(`${count} more writes`, acknowledged, STUCK_MS);
  }

  acknowledge(count: number): void {
    this.acknowledged += count;
    const nowMs = performance.now();
    this.gapMs = Math.max(this.gapMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    if (this.#waiting === undefined || this.acknowledged < this.#waiting.count) return;
    this.#waiting.resolve();
    this.#waiting = undefined;
  }
}
