import { MeridianError } from "@meridian/protocol";
import { Deadlines, type Clock } from "@meridian/runtime";

/** How long a write waits for the disk, in milliseconds: longer than the store itself waits for whoever else holds the database. */
const PATIENCE_MS = 10_000;

/** Waits for writes to become durable, for a bounded time: a disk may hang for ever. */
export class StorePatience {
  readonly #deadlines: Deadlines;

  constructor(clock: Clock) {
    this.#deadlines = new Deadlines(clock);
  }

  /**
   * Settles as `write` does, or rejects with `OVERLOADED` once patience is over. The write goes on: its outcome is then
   * unknown, and `details.mayHaveBeenApplied` says so.
   */
  wait<T>(write: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#deadlines.after(PATIENCE_MS, () => reject(outOfPatience()));
      void write.then(resolve, reject).finally(cancel);
    });
  }
}

function outOfPatience(): MeridianError {
  return new MeridianError(
    "OVERLOADED",
    `Expected the disk to take the write within ${PATIENCE_MS} ms; it may yet do so, so that the write may be applied or not`,
    { details: { mayHaveBeenApplied: true } },
  );
}
