/** The size of a frame that is in the journal, and not yet in the table. */
export interface UnfoldedFrame {
  readonly through: number;
  readonly count: number;
  readonly bytes: number;
}

/** Counts what is not folded yet. Only the sizes of frames are kept, so that all that is folded is forgotten at once. */
export class UnfoldedFrames {
  readonly #frames: UnfoldedFrame[] = [];
  #entries = 0;
  #bytes = 0;

  get entries(): number {
    return this.#entries;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(frame: UnfoldedFrame): void {
    this.#frames.push(frame);
    this.#entries += frame.count;
    this.#bytes += frame.bytes;
  }

  /** Everything through this sequence is folded. */
  fold(through: number): void {
    let count = 0;
    for (const frame of this.#frames) {
      if (frame.through > through) break;
      this.#entries -= frame.count;
      this.#bytes -= frame.bytes;
      count += 1;
    }
    this.#frames.splice(0, count);
  }
}
