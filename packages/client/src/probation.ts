/** Each return within this time of the one before has to wait twice as long. */
const RELAPSE_MS = 60_000;
const WAIT_MS_MAX = 60_000;

/**
 * How long a node has to look well before it takes over from a farther one that serves. A node that comes and goes
 * has to look well for longer each time, up to a minute, so that clients do not swing between two nodes.
 */
export class Probation {
  readonly #firstMs: number;
  #needMs: number;
  #endedAtMs = -Infinity;
  #sinceMs: number | undefined;
  #over = true;

  /** A node that is trusted from the beginning. `waitMs` is how long it has to look well after a failure. */
  constructor(waitMs: number) {
    this.#firstMs = waitMs;
    this.#needMs = waitMs;
  }

  /** Whether the node may take over. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Whether the node looked well the last time, but has not done so for long enough. */
  get isRunning(): boolean {
    return !this.#over && this.#sinceMs !== undefined;
  }

  /** How long the node still has to look well, in milliseconds. */
  leftMs(nowMs: number): number {
    return this.#needMs - (nowMs - (this.#sinceMs ?? nowMs));
  }

  /** The node has failed, or nothing is known of it yet. */
  begin(nowMs: number): void {
    this.#sinceMs = undefined;
    if (!this.#over) return;
    this.#over = false;
    const relapsed = nowMs - this.#endedAtMs < RELAPSE_MS;
    this.#needMs = relapsed ? Math.min(WAIT_MS_MAX, this.#needMs * 2) : this.#firstMs;
  }

  /** Somebody has looked at the node. */
  looked(well: boolean, nowMs: number): void {
    if (!well) this.#sinceMs = undefined;
    if (this.#over || !well) return;
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs < this.#needMs) return;
    this.#over = true;
    this.#endedAtMs = nowMs;
  }
}
