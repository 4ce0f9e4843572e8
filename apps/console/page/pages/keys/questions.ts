/**
 * Asks a few parties at once, and each of them one thing at a time: what is wanted of one that is being asked is asked when it has
 * answered, once. So no answer is older than the one before it, and none that does not answer is asked ever more.
 */
export class Questions {
  readonly #atOnce: number;
  readonly #wanted = new Map<string, () => Promise<void>>();
  readonly #asked = new Set<string>();

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Has a party asked. `ask` must not reject. */
  want(name: string, ask: () => Promise<void>): void {
    this.#wanted.set(name, ask);
    this.#askNext();
  }

  /** Asks nothing of what has not been asked yet. */
  clear(): void {
    this.#wanted.clear();
  }

  #askNext(): void {
    for (const [name, ask] of this.#wanted) {
      if (this.#asked.size >= this.#atOnce) return;
      if (this.#asked.has(name)) continue;
      this.#wanted.delete(name);
      this.#asked.add(name);
      void ask().finally(() => {
        this.#asked.delete(name);
        this.#askNext();
      });
    }
  }
}
