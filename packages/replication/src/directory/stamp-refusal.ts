import type { DirectoryMessage, FrameHeader } from "@meridian/protocol";

import type { SessionHost } from "./session-host.ts";

/** Remembers the frame of one link whose stamps lie too far ahead. Until that frame comes again with other stamps, no later frame is taken. */
export class StampRefusal {
  readonly #host: SessionHost;
  readonly #send: (message: DirectoryMessage) => void;
  #position: number | undefined;
  /** Since when the refusal waits for the clocks to agree that the stamps are ahead, by elapsed time. */
  #undecidedSinceMs: number | undefined;
  /** Whether the node has heard that the clocks agree: only then does it know how long what it stamps anew has to live. */
  #isTold = false;

  constructor(host: SessionHost, send: (message: DirectoryMessage) => void) {
    this.#host = host;
    this.#send = send;
  }

  /** Whether a frame of that position is behind a refused one, which has not come again. */
  passesOver(position: number): boolean {
    if (this.#position !== undefined && position !== this.#position) return true;
    this.#position = undefined;
    this.#undecidedSinceMs = undefined;
    return false;
  }

  /** Whether the stamps of a frame lie too far ahead. If they do, tells the node. */
  refuses({ highestTime, position }: FrameHeader): boolean {
    if (highestTime <= this.#host.sequencer.timeMax()) return false;
    this.#position = position;
    this.#undecidedSinceMs = this.#host.clock.elapsedMs();
    this.decide();
    return true;
  }

  /** The node has just been told what the clocks say. */
  onTold(): void {
    this.#isTold = this.#host.clocks.info.confirmed;
    this.decide();
  }

  /**
   * Tells the node of the refusal. If this directory's clock may be the one that is behind, it first waits for the members' clocks for a while. If
   * the refusal proves wrong, the node sends the frame again.
   */
  decide(): void {
    const { sequencer, limits } = this.#host;
    if (this.#position === undefined || this.#undecidedSinceMs === undefined) return;
    const waitedMs = this.#host.clock.elapsedMs() - this.#undecidedSinceMs;
    if (!this.#isTold && waitedMs < limits.doubtMs) return;
    this.#undecidedSinceMs = undefined;
    this.#send({
      type: "refuse",
      nowMs: this.#host.clock.nowMs(),
      position: this.#position,
      code: "CLOCK_AHEAD",
      timeMax: sequencer.timeMax(),
    });
  }
}
