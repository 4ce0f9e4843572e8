/** How far a peer has applied what it is sent, and since when it has got no further. */
export class AppliedProgress {
  /** Everything through this sequence is durable there. */
  through = 0;
  #movedAtMs: number;

  constructor(nowMs: number) {
    this.#movedAtMs = nowMs;
  }

  /** The peer says that it has everything through a sequence; it has been sent everything through `sentThrough`. */
  report(through: number, sentThrough: number, nowMs: number): void {
    if (through > this.through || through >= sentThrough) this.#movedAtMs = nowMs;
    this.through = Math.max(this.through, through);
  }

  /** How long it has applied nothing of what it has been sent; 0 where it has everything. */
  restMs(sentThrough: number, nowMs: number): number {
    return this.through >= sentThrough ? 0 : nowMs - this.#movedAtMs;
  }
}
