interface Run {
  readonly through: number;
  readonly keys: readonly string[];
}

/**
 * Remembers the keys of the newest frames of a log, those of this node's own frames included. If another directory lacks these frames, the node sends
 * the entries of the keys again. Invariant: every key of a frame after `#floor` is here.
 */
export class RecentKeys {
  readonly #keysMax: number;
  #runs: Run[] = [];
  #keys = 0;
  #floor: number;

  /** `floor` is where the remembering begins. At most `keysMax` keys are remembered. */
  constructor(floor: number, keysMax: number) {
    this.#floor = floor;
    this.#keysMax = keysMax;
  }

  /** A frame that ends at or before `through` has these keys, and is later than the frames that every directory has for certain. */
  add(through: number, keys: readonly string[]): void {
    if (keys.length === 0) return;
    this.#runs.push({ through, keys });
    this.#keys += keys.length;
    if (this.#keys <= this.#keysMax) return;
    let count = 0;
    // Half at once: shifting an array is linear.
    while (this.#keys > this.#keysMax / 2) {
      const run = this.#runs[count];
      if (run === undefined) break;
      this.#keys -= run.keys.length;
      this.#floor = Math.max(this.#floor, run.through);
      count += 1;
    }
    this.#runs.splice(0, count);
  }

  /** The keys of all frames after `sequence`; undefined if some of these frames are not remembered. */
  after(sequence: number): readonly string[] | undefined {
    if (sequence < this.#floor) return undefined;
    const runs = this.#runs.filter(({ through }) => through > sequence);
    return [...new Set(runs.flatMap(({ keys }) => keys))];
  }

  /** Nothing at or before `sequence` will be asked for. */
  raiseFloor(sequence: number): void {
    this.#floor = Math.max(this.#floor, sequence);
  }

  /** Forgets the frames after `sequence`: the log goes on in another way from there. */
  cut(sequence: number): void {
    this.#runs = this.#runs.filter(({ through }) => through <= sequence);
    this.#keys = this.#runs.reduce((sum, { keys }) => sum + keys.length, 0);
  }
}
