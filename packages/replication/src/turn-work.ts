/** The keys that a walk may read in one turn of the event loop: of code that is new, or on a slow machine, that takes some milliseconds. */
export const TURN_ROWS = 256;
/** Bytes of entries that are handled in one turn of the event loop. */
export const TURN_BYTES: number = 1024 * 1024;

/** What sending a frame costs beside its bytes, in rows. */
export const FRAME_COST = 8;

/**
 * Bounds the work of a turn of the event loop. A walk over rows asks `mayGoOn` before each piece, and calls `spend` after it. So a turn exceeds its
 * bound by at most one piece.
 */
export class TurnWork {
  /** Runs a callback once other work has had its turn. */
  readonly #later: (callback: () => void) => void;
  readonly #goOn: () => void;
  #rows = 0;
  #bytes = 0;
  #isResting = false;

  /** `goOn` is called in a later turn, whenever one has ended before the work was done. */
  constructor(later: (callback: () => void) => void, goOn: () => void) {
    this.#later = later;
    this.#goOn = goOn;
  }

  /** Whether this turn may do more. If not, `goOn` is called in a later one. */
  mayGoOn(): boolean {
    return this.#rows < TURN_ROWS && this.#bytes < TURN_BYTES;
  }

  /** Counts what a piece has read. Each piece counts as at least one row, even if it found nothing. */
  spend(rows: number, bytes: number = 0): void {
    this.#rows += rows;
    this.#bytes += bytes;
    if (this.#isResting) return;
    this.#isResting = true;
    this.#later(() => {
      this.#isResting = false;
      const isCut = !this.mayGoOn();
      this.#rows = 0;
      this.#bytes = 0;
      if (isCut) this.#goOn();
    });
  }
}
