import { MeridianError } from "@meridian/protocol";

/** Heartbeats that may come at once, as where a directory was at a standstill. */
const BURST = 256;

/** How many times as many as it asks for a directory puts up with. */
const TIMES = 20;

/**
 * How often a peer says that it lives. It has a reason to once in each `heartbeatMs`, and when its status changes; each
 * heartbeat is answered. PROTOCOL.md, "What is possible", has the bound.
 */
export class Pace {
  readonly #perMs: number;
  #left = BURST;
  #atMs: number;

  constructor(heartbeatMs: number, nowMs: number) {
    this.#perMs = TIMES / heartbeatMs;
    this.#atMs = nowMs;
  }

  /** One more has come. Throws `MALFORMED_MESSAGE` if it is one too many. */
  beat(nowMs: number): void {
    this.#left = Math.min(BURST, this.#left + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    if (this.#left < 1) {
      const perSecond = this.#perMs * 1_000;
      const said = `Expected at most ${perSecond} heartbeats a second, and ${BURST} at once, got one more`;
      throw new MeridianError("MALFORMED_MESSAGE", said);
    }
    this.#left -= 1;
  }
}
