import { Fifo } from "@meridian/runtime";

/** Frames that are durable in a redo file, and that the database may not have yet, in the order of their journal rows. */
export class UnsavedFrames<Frame> {
  readonly #frames = new Fifo<{ readonly id: number; readonly frame: Frame }>();
  #savedThrough: number;

  /** `savedThrough` is the last journal row that the database has. */
  constructor(savedThrough: number) {
    this.#savedThrough = savedThrough;
  }

  /** The database has the rows through this one. */
  get savedThrough(): number {
    return this.#savedThrough;
  }

  /** A frame is durable, as the journal row `id`. */
  add(id: number, frame: Frame): void {
    if (id > this.#savedThrough) this.#frames.push({ id, frame });
  }

  /** The database has the rows through this one. */
  save(through: number): void {
    this.#savedThrough = Math.max(this.#savedThrough, through);
    while ((this.#frames.at(0)?.id ?? Infinity) <= this.#savedThrough) this.#frames.shift();
  }

  /** All of them, oldest first. */
  *[Symbol.iterator](): Generator<Frame, void, undefined> {
    for (let index = 0; index < this.#frames.length; index += 1) {
      const found = this.#frames.at(index);
      if (found !== undefined) yield found.frame;
    }
  }
}
