/** Runs asynchronous work in the order in which it comes, one piece after the other. */
export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `work` once all earlier work is over. Resolves or rejects as `work` does. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }
}
