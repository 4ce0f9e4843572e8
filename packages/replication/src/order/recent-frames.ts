/** A frame that the directory has ordered. */
export interface OrderedFrame {
  readonly after: number;
  readonly through: number;
  readonly incarnation: number;
  readonly position: number;
  /** Header and entries, as they go out. Never changed once ordered. */
  readonly bytes: Uint8Array;
}

/** The newest frames of the log, in memory: those not yet durable, and as many before them as fit. */
export class RecentFrames {
  readonly #bytesMax: number;
  /** Invariant: each frame's `after` is the `through` of the one before it. */
  #frames: OrderedFrame[] = [];
  /** Frames before this index have been dropped. */
  #start = 0;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(frame: OrderedFrame): void {
    this.#frames.push(frame);
    this.#bytes += frame.bytes.byteLength;
  }

  /** The frame that starts at `after`, if it is still here. */
  startingAt(after: number): OrderedFrame | undefined {
    let low = this.#start;
    let high = this.#frames.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#frames[middle]?.after ?? Infinity) < after) low = middle + 1;
      else high = middle;
    }
    const frame = this.#frames[low];
    return frame?.after === after ? frame : undefined;
  }

  /** Drops the oldest frames above the byte bound, of those that are durable. */
  trim(committedThrough: number): void {
    for (let first = this.#frames[this.#start]; first !== undefined;) {
      if (this.#bytes <= this.#bytesMax || first.through > committedThrough) break;
      this.#bytes -= first.bytes.byteLength;
      this.#start += 1;
      first = this.#frames[this.#start];
    }
    // Shifting an array is linear; doing it once in a while makes it constant on average.
    if (this.#start > 1_024 && this.#start * 2 > this.#frames.length) {
      this.#frames = this.#frames.slice(this.#start);
      this.#start = 0;
    }
  }
}
