import { Fifo } from "@meridian/runtime";

/** What is to be done once a log has come to a sequence. Sequences are added in their order. */
export class SequenceWaits {
  readonly #waits = new Fifo<{ readonly through: number; readonly run: () => void }>();

  add(through: number, run: () => void): void {
    this.#waits.push({ through, run });
  }

  /** The log has come to `sequence`. */
  reach(sequence: number): void {
    for (let next = this.#waits.at(0); next !== undefined && next.through <= sequence;) {
      this.#waits.shift();
      next.run();
      next = this.#waits.at(0);
    }
  }
}
