/** What one turn of the event loop may look at, of keys and of bytes of entries: some milliseconds. */
export const TURN_ROWS = 512;
/** Bytes of entries that are handled in one turn of the event loop. */
export const TURN_BYTES: number = 1024 * 1024;

/** What sending a frame costs beside its bytes, in rows. */
export const FRAME_COST = 8;

/**
 * Bounds the work of a turn of the event loop. Who walks over rows asks before each piece whether there may be one, and says afterwards what
 * it has cost: so a turn goes over its bound by one piece at most.
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

  /** So much has been looked at. What is looked at once costs a row at least, whether it was there or not. */
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
