/** What `DurableRecords` remembers of a record while the store has not answered it. */
export interface RecordTicket {
  readonly place: number;
  readonly through: number;
}

/**
 * Knows how far a log is durable here, by the store's answers to one record after the other.
 *
 * Invariant: an answer raises `through` only if the party still stands in the log for which the record was made. After a move to another log,
 * `through` is 0 until the store has answered all records from before the move.
 */
export class DurableRecords {
  #through = 0;
  #appended = 0;
  #answered = 0;
  /** How many records must be answered before anything counts as durable. */
  #awaited = 0;
  /** Grows with each move. */
  #place = 0;

  /** Everything through this sequence is durable. */
  get through(): number {
    return this.#answered < this.#awaited ? 0 : this.#through;
  }

  /** The party goes on in another log or epoch, of which everything through `sequence` is durable already. */
  moveTo(sequence: number): void {
    this.#through = sequence;
    this.#place += 1;
    this.awaitAll();
  }

  /** Nothing counts as durable before the records that are under way are answered. */
  awaitAll(): void {
    this.#awaited = this.#appended;
  }

  /** A frame without entries has moved the log on to `sequence`: there is nothing to store. */
  pass(sequence: number): void {
    if (this.#answered === this.#appended) this.#through = sequence;
  }

  /** A record of the log through `through` is handed to the store. */
  append(through: number): RecordTicket {
    this.#appended += 1;
    return { place: this.#place, through };
  }

  /** The store has refused a record. */
  refuse(): void {
    this.#answered += 1;
  }

  /**
   * The store has taken a record. `applied` is what has been applied by now, all of which is durable where no record is left.
   * Returns whether the record was of the log in which the party still stands.
   */
  take({ place, through }: RecordTicket, applied: number): boolean {
    this.#answered += 1;
    if (place !== this.#place) return false;
    const isAll = this.#answered === this.#appended;
    this.#through = isAll ? applied : Math.max(this.#through, through);
    return true;
  }
}
