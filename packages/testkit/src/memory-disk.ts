import type { Done } from "@meridian/replication";
import { MeridianError } from "@meridian/protocol";

/** Runs `callback` later, when a commit that was begun now would be over. */
export type ScheduleCommit = (callback: () => void) => void;

interface Waiting {
  readonly commit: () => void;
  readonly done: Done;
}

/**
 * Commits in the order they were begun, each some time after: what was not committed when the process died
 * never happened.
 */
export class CommitQueue {
  readonly #schedule: ScheduleCommit;
  readonly #onFailed: () => void;
  #waiting: Waiting[] = [];
  #scheduled = false;
  #crashed = false;
  /** While set, every commit fails with `STORE_FULL`, and so does everything behind it. */
  full = false;

  /** `onFailed` is called once for each commit that fails, before those whose records it took along. */
  constructor(schedule: ScheduleCommit, onFailed: () => void) {
    this.#schedule = schedule;
    this.#onFailed = onFailed;
  }

  push(commit: () => void, done: Done): void {
    if (this.#crashed) return;
    this.#waiting.push({ commit, done });
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => this.#run());
  }

  /** Forgets what is not committed, and calls nobody back any more. */
  crash(): void {
    this.#crashed = true;
    this.#waiting = [];
  }

  #run(): void {
    this.#scheduled = false;
    const batch = this.#waiting;
    this.#waiting = [];
    if (this.full) return this.#fail(batch);
    for (const { commit, done } of batch) {
      if (this.#crashed) return;
      commit();
      done();
    }
  }

  #fail(batch: readonly Waiting[]): void {
    this.#onFailed();
    for (const { done } of batch) {
      if (!this.#crashed)
        done(new MeridianError("STORE_FULL", "Expected room on the disk, got none"));
    }
  }
}
