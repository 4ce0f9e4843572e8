/** A node that may have applied a frame. */
export interface ApplyingNode {
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

  /** How many frames are watched. */
  get size(): number {
    return this.#watched.length;
  }

  /** Whether any frame is watched. */
  get isWatching(): boolean {
    return this.#watched.length > 0;
  }

  /** Starts watching a frame. If there are too many, the oldest is dropped, and its writer's wait times out. */
  add(through: number, position: number): void {
    if (this.#watched.length >= this.#max) this.#watched.shift();
    this.#watched.push({ through, position, reported: "" });
  }

  /**
   * Reports what is newly known of the watched frames, and forgets those that all nodes have. Who has a frame has
   * those before it, so of neighbours of which the same is known only the last is reported. Of nodes that are
   * `readyElsewhere`, with another directory, nobody here can tell what they have applied.
   */
  update(appliers: readonly ApplyingNode[], readyElsewhere: readonly string[]): void {
    const readyHere = appliers.filter((applier) => applier.ready).map((applier) => applier.id);
    const ready = [...readyHere, ...readyElsewhere];
    const readyKnown = ready.join();
    let nodes: string[] = [];
    let known = "";
    /** The lowest sequence that one of these nodes has applied: all of them have everything through it. */
    let sameThrough = -Infinity;
    let news: (() => void) | undefined;
    this.#watched = this.#watched.filter((watched) => {
      if (watched.through > sameThrough) {
        news?.();
        news = undefined;
        const having = appliers.filter(({ appliedThrough }) => appliedThrough >= watched.through);
        nodes = having.map(({ id }) => id);
        known = `${nodes.join()};${readyKnown}`;
        sameThrough = Math.min(...having.map(({ appliedThrough }) => appliedThrough));
      }
      if (known !== watched.reported) {
        watched.reported = known;
        const told = nodes;
        news = () => this.#report(watched.position, told, ready);
      }
      return nodes.length < Math.max(1, appliers.length);
    });
    news?.();
  }
}
