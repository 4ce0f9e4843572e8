/** What `DurableRecords` remembers of a record while the store has not answered it. */
export interface RecordTicket {
  readonly place: number;
  readonly through: number;
}

/**
 * How far a log is durable here, as the store answers one record after the other.
 *
 * Invariant: an answer moves `through` only in the place that its record was made for: after a move, what was appended before
 * says nothing of the new log. `through` is 0 until everything that was under way at the move is answered.
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

  /** The party goes on in another log, or another branch of it, of which everything through `sequence` is durable already. */
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
