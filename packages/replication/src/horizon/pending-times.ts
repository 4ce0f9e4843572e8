/** How many bounds are kept. More frames than that may wait; then some share one, which is then lower than need be. */
const BOUNDS_MAX = 1_024;

/** The lowest stamp time in the outbox, or a lower bound of it, without looking into it. */
export class PendingTimes {
  /** Bounds with rising positions and times: each is the lowest time in the frames after the bound before it, through its own position. */
  readonly #bounds: { through: number; readonly lowestTime: number }[] = [];
  /** The stamp times in frames through this position are not known. */
  #unknownThrough: number;
  #acknowledgedThrough = 0;

  /** `unknownThrough` is the last position of an outbox that was there before. */
  constructor(unknownThrough: number) {
    this.#unknownThrough = unknownThrough;
  }

  /** A frame has come into the outbox. */
  add(position: number, lowestTime: number): void {
    const bounds = this.#bounds;
    while ((bounds.at(-1)?.lowestTime ?? -1) >= lowestTime) bounds.pop();
    const last = bounds.at(-1);
    if (last !== undefined && bounds.length >= BOUNDS_MAX) last.through = position;
    else bounds.push({ through: position, lowestTime });
  }

  /** Stamps have been changed in frames through `position`. */
  forget(position: number): void {
    this.#unknownThrough = position;
  }

  /** The frames through `position` are gone. */
  acknowledge(position: number): void {
    this.#acknowledgedThrough = Math.max(this.#acknowledgedThrough, position);
    const kept = this.#bounds.findIndex(({ through }) => through > position);
    this.#bounds.splice(0, kept < 0 ? this.#bounds.length : kept);
  }

  /** A lower bound of the stamp times in the outbox; infinite if the outbox is empty. */
  get lowestTime(): number {
    if (this.#unknownThrough > this.#acknowledgedThrough) return 0;
    return this.#bounds[0]?.lowestTime ?? Infinity;
  }
}
