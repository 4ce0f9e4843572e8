/** How many times the opening of a link is measured before it says how near a directory is: the shortest of them counts. */
const SAMPLES = 3;

/** By how much a directory has to be nearer: what a connection takes on one continent. A link opens in two round trips, with TLS in three. */
const NEARER_MS = 30;

/**
 * The directories in the order in which a node turns to them: that in which they were given, but with the nearest first once it is known to be
 * nearer than the node's own.
 */
export class DirectoryOrder {
  /** The directories by their ranks. */
  readonly #order: number[];
  /** What opening a link has taken each of them, the newest last. */
  readonly #openMs: number[][];

  constructor(count: number) {
    this.#order = Array.from({ length: count }, (_, directory) => directory);
    this.#openMs = this.#order.map(() => []);
  }

  /** There is one more directory, which is the last in the order. */
  add(): void {
    this.#order.push(this.#order.length);
    this.#openMs.push([]);
  }

  /** The directory of a rank. */
  at(rank: number): number {
    return this.#order[rank] ?? 0;
  }

  rankOf(directory: number): number {
    return this.#order.indexOf(directory);
  }

  /** A link to a directory has opened after so long. */
  measured(directory: number, openMs: number): void {
    const samples = this.#openMs[directory] ?? [];
    samples.push(openMs);
    if (samples.length > SAMPLES) samples.shift();
  }

  /** What was measured of a directory says nothing any more: it does not take the node in, or is one of another log. */
  forget(directory: number): void {
    this.#openMs[directory] = [];
  }

  /** Puts the nearest directory first if it is nearer than `own`. Returns it then. */
  preferNearest(own: number): number | undefined {
    const ownMs = this.#nearness(own);
    let nearest = own;
    for (const directory of this.#order) {
      if (this.#nearness(directory) < this.#nearness(nearest)) nearest = directory;
    }
    if (!(this.#nearness(nearest) + NEARER_MS <= ownMs) || ownMs === Infinity) return undefined;
    this.#order.splice(this.rankOf(nearest), 1);
    this.#order.unshift(nearest);
    return nearest;
  }

  #nearness(directory: number): number {
    const samples = this.#openMs[directory] ?? [];
    return samples.length < SAMPLES ? Infinity : Math.min(...samples);
  }
}
