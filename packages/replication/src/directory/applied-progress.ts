/** Keeps the last sequence that a peer has applied, and since when it lacks the oldest of what it was sent. */
export class AppliedProgress {
  /** Everything through this sequence is durable there. */
  through = 0;
  /** The last sequence that the peer had been sent when it was last found to have applied the `#due` before; and when that was. */
  #due = 0;
  #dueSinceMs: number;

  constructor(nowMs: number) {
    this.#dueSinceMs = nowMs;
  }

  /** The peer says that it has everything through a sequence; it has been sent everything through `sentThrough`. */
  report(through: number, sentThrough: number, nowMs: number): void {
    this.through = Math.max(this.through, through);
    if (this.through < this.#due) return;
    this.#due = sentThrough;
    this.#dueSinceMs = nowMs;
  }

  /**
   * For how many milliseconds at least the peer has lacked something that it was sent; 0 if it lacks nothing. A peer that applies one
   * sequence now and then, of the hundreds that it is sent, lacks the last of them for ever longer.
   */
  restMs(nowMs: number): number {
    return this.through >= this.#due ? 0 : nowMs - this.#dueSinceMs;
  }
}
