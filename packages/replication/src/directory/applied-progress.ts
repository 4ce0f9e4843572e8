/** Keeps the last sequence that a peer has applied, and since when that has not moved. */
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

  /** For how many milliseconds the peer has applied nothing although it lacked something; 0 if it has everything that it was sent. */
  restMs(sentThrough: number, nowMs: number): number {
    return this.through >= sentThrough ? 0 : nowMs - this.#movedAtMs;
  }
}
