/** A node that may have applied a frame. */
export interface Applier {
  readonly id: string;
  readonly ready: boolean;
  /** Everything through this sequence is durable there. */
  readonly appliedThrough: number;
}

interface Watched {
  readonly through: number;
  readonly position: number;
  /** What was last reported of it. */
  reported: string;
}

/** Tells one node which others have applied the frames it asked about. */
export class AppliedWatch {
  readonly #max: number;
  readonly #report: (position: number, nodes: string[], ready: string[]) => void;
  /** In the order of the log. Invariant: at most `max` long. */
  #watched: Watched[] = [];

  constructor(max: number, report: (position: number, nodes: string[], ready: string[]) => void) {
    this.#max = max;
    this.#report = report;
  }

  /** Whether any frame is watched. */
  get isWatching(): boolean {
    return this.#watched.length > 0;
  }

  /** Starts watching a frame. The oldest is given up where there are too many: its sender's wait times out. */
  add(through: number, position: number): void {
    if (this.#watched.length >= this.#max) this.#watched.shift();
    this.#watched.push({ through, position, reported: "" });
  }

  /**
   * Reports each watched frame of which more is known than before; forgets those that all nodes have. Of nodes that are
   * `readyElsewhere`, with another directory, nobody here can tell what they have applied.
   */
  update(appliers: readonly Applier[], readyElsewhere: readonly string[]): void {
    const readyHere = appliers.filter((applier) => applier.ready).map((applier) => applier.id);
    const ready = [...readyHere, ...readyElsewhere];
    this.#watched = this.#watched.filter((watched) => {
      const nodes = appliers
        .filter((applier) => applier.appliedThrough >= watched.through)
        .map((applier) => applier.id);
      const known = `${nodes.join()};${ready.join()}`;
      if (known !== watched.reported) {
        watched.reported = known;
        this.#report(watched.position, nodes, ready);
      }
      return nodes.length < Math.max(1, appliers.length);
    });
  }
}
