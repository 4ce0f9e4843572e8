/**
 * Tells whether a history of one register is linearizable: whether there is an order of its operations in which each takes effect at one instant
 * between its begin and its end, and in which each has had the answer that it got. An operation without an answer takes effect at some instant after its
 * begin, or never.
 *
 * The register holds a version or nothing. A change names the version that it replaces and the one that it writes, so no two changes write the same.
 *
 * The search is that of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's memory of what was tried: it takes effect after
 * effect, each time one of those that may come next because nothing that is left has ended before they began. What only looks at the register is taken
 * as soon as its answer is right, which never makes anything harder.
 */

/** A version of the register; null while it holds nothing. */
type Version = string | null;

/** An operation, with the times of its begin and its end by one clock. */
export type RegisterOperation = {
  readonly beganAt: number;
  /** Infinite for one without an answer. */
  readonly endedAt: number;
  /** For people. */
  readonly by: string;
} & (
  | { readonly kind: "read"; readonly version: Version }
  | {
      readonly kind: "change";
      /** The version that it replaces, if the register holds it. */
      readonly over: Version;
      /** The version that it writes; null for a delete. */
      readonly version: Version;
      /** Undefined for one without an answer. */
      readonly isDone: boolean | undefined;
    }
);

/** How many effects are tried before the search gives up. */
const STEPS_MAX = 200_000;

/** What is wrong with a history; undefined for a linearizable one. Throws where it cannot be told in `STEPS_MAX` steps. */
export function wrongOrder(
  history: readonly RegisterOperation[],
  first: Version = null,
): string | undefined {
  // A read without an answer has looked at nothing.
  const operations = history
    .filter(({ kind, endedAt }) => kind === "change" || endedAt !== Infinity)
    .toSorted((a, b) => a.beganAt - b.beganAt);
  const search = new Search(operations);
  return search.finds(first) ? undefined : search.explain();
}

class Search {
  readonly #operations: readonly RegisterOperation[];
  readonly #isTaken: boolean[];
  /** How many with an answer are left. */
  #left: number;
  readonly #tried = new Set<string>();
  #steps = 0;
  /** The fewest that were ever left, what was next then, and what the register held. */
  #best: { readonly left: number; readonly stuck: readonly number[]; readonly version: Version };

  constructor(operations: readonly RegisterOperation[]) {
    this.#operations = operations;
    this.#isTaken = operations.map(() => false);
    this.#left = operations.filter(({ endedAt }) => endedAt !== Infinity).length;
    this.#best = { left: Infinity, stuck: [], version: null };
  }

  /** Whether all that is left can take effect on top of `version`. */
  finds(version: Version): boolean {
    this.#steps += 1;
    if (this.#steps > STEPS_MAX) throw new Error(`Expected an answer within ${STEPS_MAX} steps`);
    const looked = this.#takeLooks(version);
    if (this.#left === 0) return true;
    const next = this.#next();
    if (this.#left < this.#best.left) this.#best = { left: this.#left, stuck: next, version };
    if (!this.#tried.has(this.#place(version))) {
      this.#tried.add(this.#place(version));
      for (const index of next) if (this.#tries(index, version)) return true;
    }
    for (const index of looked) this.#putBack(index);
    return false;
  }

  explain(): string {
    const { left, stuck, version } = this.#best;
    const told = stuck.map((index) => describe(this.#operations[index]));
    return `${left} operations are left where the register holds ${version ?? "nothing"}; next could be ${told.join(", or ")}`;
  }

  #tries(index: number, version: Version): boolean {
    const operation = this.#operations[index];
    if (operation?.kind !== "change" || operation.isDone === false) return false;
    if (operation.over !== version) return false;
    this.#take(index);
    if (this.finds(operation.version)) return true;
    this.#putBack(index);
    return false;
  }

  /** Takes everything that may come next, only looks at the register, and was told what it holds now. */
  #takeLooks(version: Version): readonly number[] {
    const looked: number[] = [];
    for (;;) {
      const found = this.#next().filter((index) => isRightOn(version, this.#operations[index]));
      if (found.length === 0) return looked;
      for (const index of found) this.#take(index);
      looked.push(...found);
    }
  }

  /** Those that may come next: nothing that is left has ended before they began. */
  #next(): readonly number[] {
    const next: number[] = [];
    let firstEnd = Infinity;
    for (const [index, { beganAt, endedAt }] of this.#operations.entries()) {
      if (beganAt > firstEnd) break;
      if (this.#isTaken[index] === true) continue;
      next.push(index);
      firstEnd = Math.min(firstEnd, endedAt);
    }
    // What stood before the first end in the list may have begun behind it.
    return next.filter((index) => (this.#operations[index]?.beganAt ?? 0) <= firstEnd);
  }

  /** What is taken, and what the register holds: from the same place the search has the same end. */
  #place(version: Version): string {
    const first = this.#isTaken.indexOf(false);
    const behind = this.#isTaken.flatMap((isTaken, index) =>
      isTaken && index > first ? [index] : [],
    );
    return `${first} ${behind.join()} ${version}`;
  }

  #take(index: number): void {
    this.#isTaken[index] = true;
    if (this.#operations[index]?.endedAt !== Infinity) this.#left -= 1;
  }

  #putBack(index: number): void {
    this.#isTaken[index] = false;
    if (this.#operations[index]?.endedAt !== Infinity) this.#left += 1;
  }
}

/** Whether the operation changes nothing, and its answer is right where the register holds `version`. */
function isRightOn(version: Version, operation: RegisterOperation | undefined): boolean {
  if (operation === undefined) return false;
  if (operation.kind === "read") return operation.version === version;
  return operation.isDone === false && operation.over !== version;
}

function describe(operation: RegisterOperation | undefined): string {
  if (operation === undefined) return "nothing";
  const { by, beganAt, endedAt, version } = operation;
  const when = `${by} from ${beganAt} to ${endedAt}`;
  if (operation.kind === "read") return `a read of ${version ?? "nothing"} (${when})`;
  const { over, isDone } = operation;
  const told = isDone === undefined ? "unanswered" : isDone ? "done" : "refused";
  return `a change of ${over ?? "nothing"} to ${version ?? "nothing"}, ${told} (${when})`;
}
