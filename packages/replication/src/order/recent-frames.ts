import { Fifo } from "@meridian/runtime";

/** A frame that the directory has ordered. */
export interface OrderedFrame {
  readonly after: number;
  readonly through: number;
  readonly incarnation: number;
  readonly position: number;
  /** Header and entries, as they go out. Never changed once ordered. */
  readonly bytes: Uint8Array;
}

/** What keeping a frame takes beside its bytes: an object, a typed array and its buffer (Node.js 20, by `process.memoryUsage`). */
const KEPT_BYTES = 640;

/** The newest frames of the log, in memory: those not yet durable, and as many before them as fit. */
export class RecentFrames {
  readonly #bytesMax: number;
  /** Invariant: each frame's `after` is the `through` of the one before it. */
  readonly #frames = new Fifo<OrderedFrame>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The memory that they take, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  push(frame: OrderedFrame): void {
    this.#frames.push(frame);
    this.#bytes += KEPT_BYTES + frame.bytes.byteLength;
  }

  /** The sequence before the oldest frame; undefined if there is none. */
  get start(): number | undefined {
    return this.#frames.at(0)?.after;
  }

  /** The frames that end after `sequence`, in their order. */
  *endingAfter(sequence: number): Generator<OrderedFrame> {
    let index = Math.max(0, this.#indexFrom(sequence) - 1);
    for (let frame = this.#frames.at(index); frame !== undefined; frame = this.#frames.at(index)) {
      if (frame.through > sequence) yield frame;
      index += 1;
    }
  }

  /** The frame that starts at `after`, if it is still here. */
  startingAt(after: number): OrderedFrame | undefined {
    const frame = this.#frames.at(this.#indexFrom(after));
    return frame?.after === after ? frame : undefined;
  }

  /** The index of the first frame that starts at or after `after`. */
  #indexFrom(after: number): number {
    let low = 0;
    let high = this.#frames.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#frames.at(middle)?.after ?? Infinity) < after) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Drops the oldest frames above the byte bound, of those that are durable. */
  trim(committedThrough: number): void {
    for (let first = this.#frames.at(0); first !== undefined; first = this.#frames.at(0)) {
      if (this.#bytes <= this.#bytesMax || first.through > committedThrough) break;
      this.#bytes -= KEPT_BYTES + first.bytes.byteLength;
      this.#frames.shift();
    }
  }
}
