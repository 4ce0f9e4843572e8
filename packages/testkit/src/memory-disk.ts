import type { Done } from "@meridian/ports";
import { MeridianError } from "@meridian/protocol";

/** Runs `callback` later, when a commit that was begun now would be over. */
export type ScheduleCommit = (callback: () => void) => void;

interface Waiting {
  readonly commit: () => void;
  readonly done: Done;
}

/**
 * Commits in the order they were begun, each some time after: what was not committed when the process died
 * never happened. On a full disk commits fail, or wait where nobody is to be told of a failure.
 */
export class CommitQueue {
  readonly #schedule: ScheduleCommit;
  readonly #onFailed: (() => void) | undefined;
  #waiting: Waiting[] = [];
  #scheduled = false;
  #crashed = false;
  #full = false;
  /** A commit has failed since there was last no room. */
  #hasFailed = false;

  /**
   * `onFailed` is called once for each commit that fails, before those whose records it took along. Without it, commits
   * wait.
   */
  constructor(schedule: ScheduleCommit, onFailed?: () => void) {
    this.#schedule = schedule;
    this.#onFailed = onFailed;
  }

  /** While set, no commit succeeds. */
  set full(full: boolean) {
    this.#full = full;
    this.#hasFailed = false;
    if (!full && this.#waiting.length > 0) this.#begin();
  }

  /** Why commits wait, or fail; undefined where none does. */
  get stall(): MeridianError | undefined {
    if (this.#onFailed !== undefined) return this.#hasFailed ? full() : undefined;
    return this.#full && this.#waiting.length > 0 && !this.#scheduled ? full() : undefined;
  }

  /** Whether the process has died. */
  get isCrashed(): boolean {
    return this.#crashed;
  }

  push(commit: () => void, done: Done): void {
    if (this.#crashed) return;
    const isStalled = this.stall !== undefined;
    this.#waiting.push({ commit, done });
    if (!isStalled) this.#begin();
  }

  /** Forgets what is not committed, and calls nobody back any more. */
  crash(): void {
    this.#crashed = true;
    this.#waiting = [];
  }

  #begin(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => this.#run());
  }

  #run(): void {
    this.#scheduled = false;
    if (this.#full && this.#onFailed === undefined) return;
    const batch = this.#waiting;
    this.#waiting = [];
    if (this.#full) return this.#fail(batch);
    for (const { commit, done } of batch) {
      if (this.#crashed) return;
      commit();
      done();
    }
  }

  #fail(batch: readonly Waiting[]): void {
    this.#hasFailed = true;
    this.#onFailed?.();
    for (const { done } of batch) if (!this.#crashed) done(full());
  }
}

function full(): MeridianError {
  return new MeridianError("STORE_FULL", "Expected room on the disk, got none");
}
