import type { Done } from "@meridian/ports";
import { MeridianError } from "@meridian/protocol";

/** Runs `callback` when a commit that begins now would be finished. */
export type ScheduleCommit = (callback: () => void) => void;

/** How full a disk is. true: no commit succeeds. `entries`: only commits without entries succeed. false: all succeed. */
export type Fullness = boolean | "entries";

interface Waiting {
  readonly commit: () => void;
  /** Whether the commit has no entries. */
  readonly isSmall: boolean;
  readonly done: Done;
}

/**
 * Commits in the order in which they were begun, each some time later. Commits that were not finished when the process died
 * have no effect. On a full disk commits fail, or wait if there is no `onFailed`.
 */
export class CommitQueue {
  readonly #schedule: ScheduleCommit;
  readonly #onFailed: (() => void) | undefined;
  #waiting: Waiting[] = [];
  #scheduled = false;
  #crashed = false;
  #full: Fullness = false;
  /** Whether a commit has failed since the disk became full. */
  #hasFailed = false;

  /**
   * `onFailed` is called once for each commit that fails, before the callbacks of its records. Without it, commits
   * wait.
   */
  constructor(schedule: ScheduleCommit, onFailed?: () => void) {
    this.#schedule = schedule;
    this.#onFailed = onFailed;
  }

  /** While set, no commit succeeds, or none with entries. */
  set full(full: Fullness) {
    this.#full = full;
    this.#hasFailed = false;
    if (full === false && this.#waiting.length > 0) this.#begin();
  }

  /** Why commits wait or fail; undefined if they do not. */
  get stall(): MeridianError | undefined {
    if (this.#onFailed !== undefined) return this.#hasFailed ? full() : undefined;
    const isStalled = this.#full !== false && this.#waiting.length > 0 && !this.#scheduled;
    return isStalled ? full() : undefined;
  }

  /** Whether the process has died. */
  get isCrashed(): boolean {
    return this.#crashed;
  }

  push(commit: () => void, done: Done, isSmall = false): void {
    if (this.#crashed) return;
    const isStalled = this.stall !== undefined;
    this.#waiting.push({ commit, done, isSmall });
    if (!isStalled) this.#begin();
  }

  /** Drops all unfinished commits without a callback. */
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
    if (this.#full !== false && this.#onFailed === undefined) return;
    const batch = this.#waiting;
    this.#waiting = [];
    const end = this.#endOf(batch);
    for (const { commit, done } of batch.slice(0, end)) {
      if (this.#crashed) return;
      commit();
      done();
    }
    if (end < batch.length) this.#fail(batch.slice(end));
  }

  /** How many commits of a batch fit. All commits that were begun after one that fails fail, too. */
  #endOf(batch: readonly Waiting[]): number {
    if (this.#full === false) return batch.length;
    const first = batch.findIndex(({ isSmall }) => this.#full === true || !isSmall);
    return first < 0 ? batch.length : first;
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
