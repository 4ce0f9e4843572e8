import type { Clock } from "@meridian/runtime";

/** Notices when what should move does not, and how long the node has been behind. */
export class ProgressWatch {
  readonly #clock: Clock;
  readonly #stallMs: number;
  /** When the outbox and the log were last seen to move, or to have no need to. */
  #outboxMovedAtMs = 0;
  #logMovedAtMs = 0;
  #reconcileMovedAtMs = 0;
  #levelAtMs: number;

  constructor(clock: Clock, stallMs: number) {
    this.#clock = clock;
    this.#stallMs = stallMs;
    this.#levelAtMs = clock.elapsedMs();
  }

  /** A link has just come up. */
  start(): void {
    const nowMs = this.#clock.elapsedMs();
    this.#outboxMovedAtMs = this.#logMovedAtMs = this.#reconcileMovedAtMs = nowMs;
  }

  outboxMoved(): void {
    this.#outboxMovedAtMs = this.#clock.elapsedMs();
  }

  logMoved(): void {
    this.#logMovedAtMs = this.#clock.elapsedMs();
  }

  reconcileMoved(): void {
    this.#reconcileMovedAtMs = this.#clock.elapsedMs();
  }

  /** Whether a reconciliation that is under way has not moved for longer than the bound, times `patience`. */
  isReconcileStalled(patience: number): boolean {
    return this.#clock.elapsedMs() - this.#reconcileMovedAtMs > this.#stallMs * patience;
  }

  /** Whether the outbox or the log should have moved and has not, for longer than the bound. */
  isStalled(outboxWaits: boolean, logWaits: boolean): boolean {
    const nowMs = this.#clock.elapsedMs();
    if (!outboxWaits) this.#outboxMovedAtMs = nowMs;
    if (!logWaits) this.#logMovedAtMs = nowMs;
    return nowMs - Math.min(this.#outboxMovedAtMs, this.#logMovedAtMs) > this.#stallMs;
  }

  /** How long it has been since the node was level with the directory, in whole milliseconds. */
  lagMs(isLevel: boolean): number {
    const nowMs = this.#clock.elapsedMs();
    if (isLevel) this.#levelAtMs = nowMs;
    return Math.round(nowMs - this.#levelAtMs);
  }
}
