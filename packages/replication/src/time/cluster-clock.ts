import type { Clock } from "@meridian/runtime";

/**
 * The time that a node judges by: its own, unless that is off from the directory's by more than the bound.
 * Then it is the directory's, as well as a message's way there and back lets it be known.
 */
export class ClusterClock {
  readonly #clock: Clock;
  #skewMs = 0;
  #offsetMs = 0;
  #isKnown = false;
  /** Beyond this, the directory's time is used. */
  maxDriftMs: number = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Cluster time in milliseconds since the Unix epoch. */
  nowMs(): number {
    return this.#clock.nowMs() + this.#offsetMs;
  }

  /** Cluster time, or undefined while no directory has said how this machine's clock compares with it. */
  get knownNowMs(): number | undefined {
    return this.#isKnown ? this.nowMs() : undefined;
  }

  /** This machine's own time. */
  ownMs(): number {
    return this.#clock.nowMs();
  }

  /** How far this machine's clock is ahead of the directory's, in milliseconds. */
  get skewMs(): number {
    return this.#skewMs;
  }

  /** Whether the directory's time is used instead of this machine's. */
  get corrected(): boolean {
    return this.#offsetMs !== 0;
  }

  /** Takes note of the directory's time, in an answer to what was sent at `askedAtMs` of this machine's time. */
  measure(directoryMs: number, askedAtMs: number): void {
    this.#isKnown = true;
    const ownMs = (askedAtMs + this.#clock.nowMs()) / 2;
    this.#skewMs = Math.round(ownMs - directoryMs);
    this.#offsetMs = Math.abs(this.#skewMs) > this.maxDriftMs ? -this.#skewMs : 0;
  }

  /** Goes by the directory's time although the skew is within the bound: it has refused a stamp for it. */
  correct(directoryMs: number): void {
    this.#skewMs = Math.round(this.#clock.nowMs() - directoryMs);
    this.#offsetMs = -this.#skewMs;
  }
}
