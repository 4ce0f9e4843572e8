import { MeridianError } from "@meridian/protocol";
import { Deadlines, type Clock } from "@meridian/runtime";

/** How long a write waits for the disk, in milliseconds: longer than the store itself waits for whoever else holds the database. */
const PATIENCE_MS = 10_000;

/** Bounds how long writes wait to become durable: a disk may hang for ever. */
export class StorePatience {
  readonly #deadlines: Deadlines;

  constructor(clock: Clock) {
    this.#deadlines = new Deadlines(clock);
  }

  /**
   * Calls `onOver` with `OVERLOADED` once patience is over, unless the function that is returned is called before. The write goes on: its outcome is then
   * unknown, and `details.mayHaveBeenApplied` says so.
   */
  begin(onOver: (failure: MeridianError) => void): () => void {
    return this.#deadlines.after(PATIENCE_MS, () => onOver(outOfPatience()));
  }
}

function outOfPatience(): MeridianError {
  return new MeridianError(
    "OVERLOADED",
    `Expected the disk to take the write within ${PATIENCE_MS} ms; it may yet do so, so that the write may be applied or not`,
    { details: { mayHaveBeenApplied: true } },
  );
}
