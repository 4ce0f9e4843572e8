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
  const search = new Search(history);
  return search.finds(first) ? undefined : search.explain();
}

type Change = Extract<RegisterOperation, { kind: "change" }>;

class Search {
  /** Those with an answer, in the order of their begins. */
  readonly #answered: readonly RegisterOperation[];
  readonly #isTaken: boolean[];
  /** All before this one are taken. */
  #low = 0;
  #left: number;
  /** Changes without an answer by what they are over, in the order of their begins. A read without one has looked at nothing. */
  readonly #unanswered = new Map<Version, Change[]>();
  readonly #takenUnanswered = new Set<Change>();
  readonly #tried = new Set<string>();
  #steps = 0;
  /** The fewest that were ever left, what was next then, and what the register held. */
  #best: {
    readonly left: number;
    readonly stuck: readonly RegisterOperation[];
    readonly version: Version;
  } = { left: Infinity, stuck: [], version: null };

  constructor(history: readonly RegisterOperation[]) {
    const inOrder = history.toSorted((a, b) => a.beganAt - b.beganAt);
    this.#answered = inOrder.filter(({ endedAt }) => endedAt !== Infinity);
    this.#isTaken = this.#answered.map(() => false);
    this.#left = this.#answered.length;
    for (const operation of inOrder) {
      if (operation.kind !== "change" || operation.endedAt !== Infinity) continue;
      const ofVersion = this.#unanswered.get(operation.over) ?? [];
      ofVersion.push(operation);
      this.#unanswered.set(operation.over, ofVersion);
    }
  }

  /** Whether all that is left can take effect on top of `version`. */
  finds(version: Version): boolean {
    this.#steps += 1;
    if (this.#steps > STEPS_MAX) throw new Error(`Expected an answer within ${STEPS_MAX} steps`);
    const looked = this.#takeLooks(version);
    if (this.#left === 0) return true;
    const { next, firstEnd } = this.#next();
    if (this.#left < this.#best.left) {
      const stuck = next.flatMap((index) => this.#answered[index] ?? []);
      this.#best = { left: this.#left, stuck, version };
    }
    const place = this.#place(version);
    if (!this.#tried.has(place)) {
      this.#tried.add(place);
      if (next.some((index) => this.#tries(index, version))) return true;
      const lost = this.#unanswered.get(version) ?? [];
      if (lost.some((change) => change.beganAt <= firstEnd && this.#triesLost(change))) return true;
    }
    for (const index of looked) this.#putBack(index);
    return false;
  }

  explain(): string {
    const { left, stuck, version } = this.#best;
    const told = stuck.map(describe).join(", or ");
    return `${left} operations are left where the register holds ${version ?? "nothing"}; next could be ${told}`;
  }

  #tries(index: number, version: Version): boolean {
    const operation = this.#answered[index];
    if (operation?.kind !== "change" || operation.isDone !== true) return false;
    if (operation.over !== version) return false;
    this.#take(index);
    if (this.finds(operation.version)) return true;
    this.#putBack(index);
    return false;
  }

  #triesLost(change: Change): boolean {
    if (this.#takenUnanswered.has(change)) return false;
    this.#takenUnanswered.add(change);
    if (this.finds(change.version)) return true;
    this.#takenUnanswered.delete(change);
    return false;
  }

  /** Takes everything that may come next, only looks at the register, and was told what it holds now. */
  #takeLooks(version: Version): readonly number[] {
    const looked: number[] = [];
    for (;;) {
      const { next } = this.#next();
      const found = next.filter((index) => isRightOn(version, this.#answered[index]));
      if (found.length === 0) return looked;
      for (const index of found) this.#take(index);
      looked.push(...found);
    }
  }

  /** Those with an answer that may come next: nothing that is left has ended before they began. And the first end of those that are left. */
  #next(): { readonly next: readonly number[]; readonly firstEnd: number } {
    const open: number[] = [];
    let firstEnd = Infinity;
    for (let index = this.#low; index < this.#answered.length; index += 1) {
      const { beganAt, endedAt } = this.#answered[index] ?? { beganAt: 0, endedAt: 0 };
      if (beganAt > firstEnd) break;
      if (this.#isTaken[index] === true) continue;
      open.push(index);
      firstEnd = Math.min(firstEnd, endedAt);
    }
    // What stood before the first end in the list may have begun behind it.
    const next = open.filter((index) => (this.#answered[index]?.beganAt ?? 0) <= firstEnd);
    return { next, firstEnd };
  }

  /** What is taken, and what the register holds: from the same place the search has the same end. */
  #place(version: Version): string {
    const behind: number[] = [];
    const { firstEnd } = this.#next();
    for (let index = this.#low; index < this.#isTaken.length; index += 1) {
      if ((this.#answered[index]?.beganAt ?? 0) > firstEnd) break;
      if (this.#isTaken[index] === true) behind.push(index);
    }
    const lost = [...this.#takenUnanswered].map(({ beganAt, by }) => `${beganAt} ${by}`).toSorted();
    return `${this.#low} ${behind.join()} ${version} ${lost.join()}`;
  }

  #take(index: number): void {
    this.#isTaken[index] = true;
    this.#left -= 1;
    while (this.#isTaken[this.#low] === true) this.#low += 1;
  }

  #putBack(index: number): void {
    this.#isTaken[index] = false;
    this.#left += 1;
    this.#low = Math.min(this.#low, index);
  }
}

/** Whether the operation changes nothing, and its answer is right where the register holds `version`. */
function isRightOn(version: Version, operation: RegisterOperation | undefined): boolean {
  if (operation === undefined) return false;
  if (operation.kind === "read") return operation.version === version;
  return operation.isDone === false && operation.over !== version;
}

function describe(operation: RegisterOperation): string {
  const { by, beganAt, endedAt, version } = operation;
  const when = `${by} from ${beganAt} to ${endedAt}`;
  if (operation.kind === "read") return `a read of ${version ?? "nothing"} (${when})`;
  const { over, isDone } = operation;
  const told = isDone === undefined ? "unanswered" : isDone ? "done" : "refused";
  return `a change of ${over ?? "nothing"} to ${version ?? "nothing"}, ${told} (${when})`;
}
