import { ManualClock } from "@meridian/testkit";

/** Machines in one process: messages and commits happen when `settle` is called. */
export abstract class SteppedRig {
  readonly clock = new ManualClock();
  /** What happens next. */
  protected queue: (() => void)[] = [];

  /** Finishes the commits of all logs that are under way. */
  protected abstract commit(): void;

  /** Lets every message and commit happen that is under way. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 1_000; turn += 1) {
      const { queue } = this;
      this.queue = [];
      for (const run of queue) run();
      this.commit();
      // Reactions of promises may bring more.
      for (let reaction = 0; reaction < 5; reaction += 1) await Promise.resolve();
      if (this.queue.length === 0) return;
    }
    throw new Error("Expected the machines to come to rest");
  }

  /** Lets time pass in steps, so that heartbeats are answered. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      this.clock.advance(Math.min(100, ms - passed));
      await this.settle();
    }
  }
}
