interface Waiting {
  readonly position: number;
  readonly done: () => void;
}

/** Calls back when the directory has committed the outbox through a given position. */
export class CommittedOutbox {
  #through = 0;
  #waiting: Waiting[] = [];

  /** Calls back once the outbox is committed through `position`, on whichever link that is heard. */
  after(position: number, done: () => void): void {
    if (position <= this.#through) done();
    else this.#waiting.push({ position, done });
  }

  /** The outbox is committed through `position`. */
  reach(position: number): void {
    this.#through = Math.max(this.#through, position);
    const waiting = this.#waiting;
    this.#waiting = waiting.filter((each) => each.position > this.#through);
    for (const each of waiting) if (each.position <= this.#through) each.done();
  }
}
