/** If a node fails again within this time after its return, in milliseconds, its next probation is twice as long. */
const RELAPSE_MS = 60_000;
const WAIT_MS_MAX = 60_000;

/**
 * The probation of a node: how long its checks must succeed before it takes over from a farther one. The time doubles for a node that
 * fails again and again, up to a minute, so that clients do not alternate between two nodes.
 */
export class Probation {
  readonly #firstMs: number;
  #needMs: number;
  #endedAtMs = -Infinity;
  #sinceMs: number | undefined;
  #over = true;

  /** The node is trusted at first. `waitMs` is how long its checks must succeed after a failure. */
  constructor(waitMs: number) {
    this.#firstMs = waitMs;
    this.#needMs = waitMs;
  }

  /** Whether the node may take over. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Whether the last check succeeded, but not for long enough. */
  get isRunning(): boolean {
    return !this.#over && this.#sinceMs !== undefined;
  }

  /** How long the checks must still succeed, in milliseconds. */
  leftMs(nowMs: number): number {
    return this.#needMs - (nowMs - (this.#sinceMs ?? nowMs));
  }

  /** Begins the probation: the node has failed, or is new. */
  begin(nowMs: number): void {
    this.#sinceMs = undefined;
    if (!this.#over) return;
    this.#over = false;
    const relapsed = nowMs - this.#endedAtMs < RELAPSE_MS;
    this.#needMs = relapsed ? Math.min(WAIT_MS_MAX, this.#needMs * 2) : this.#firstMs;
  }

  /** Notes the result of a check. */
  looked(well: boolean, nowMs: number): void {
    if (!well) this.#sinceMs = undefined;
    if (this.#over || !well) return;
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs < this.#needMs) return;
    this.#over = true;
    this.#endedAtMs = nowMs;
  }
}
