import type { OpenRanges } from "../reconcile/open-ranges.ts";

/** How far a node's reconciliation had come when its link was lost. */
export interface KeptComparison {
  readonly nodeId: string;
  readonly incarnation: number;
  /** What is left to be compared. */
  readonly open: OpenRanges;
  /** The horizon that was compared under. */
  readonly under: number;
  /** The sequence that the node was fed from, and the last that it was sent. */
  readonly head: number;
  readonly sentThrough: number;
}

/** What a node that comes back says of its reconciliation, and how the log stands now. */
export interface Return {
  readonly nodeId: string;
  readonly incarnation: number;
  readonly appliedThrough: number | undefined;
  readonly under: number;
  /** See `DirectoryLog.purgedThrough`. */
  readonly purgedThrough: number;
}

/** How many comparisons are kept, the newest ones, and how many pieces one of them may have. */
const KEPT_MAX = 64;
const PIECES_MAX = 256;

/**
 * Remembers reconciliations whose links were lost, so that they go on where they were. They are valid only in this epoch, and so only in this
 * process: in a later one, the log may lack what the node was fed.
 *
 * A range that was compared need not be compared again: node and log had the same there. What the node has written since is in its outbox. What the
 * log has got since is fed to the node after `appliedThrough`, unless some of it was purged. Under a higher horizon, both sides leave out the same.
 */
export class KeptComparisons {
  readonly #kept = new Map<number, KeptComparison>();

  keep(comparison: KeptComparison): void {
    const { incarnation, open } = comparison;
    this.#kept.delete(incarnation);
    if (open.pieces > PIECES_MAX) return;
    this.#kept.set(incarnation, comparison);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_MAX && oldest !== undefined) this.#kept.delete(oldest);
  }

  /** Takes out what is kept of a node; undefined if the node cannot go on from there. */
  take(asked: Return): KeptComparison | undefined {
    const { nodeId, incarnation, appliedThrough, under, purgedThrough } = asked;
    const kept = this.#kept.get(incarnation);
    this.#kept.delete(incarnation);
    if (kept === undefined || appliedThrough === undefined || kept.nodeId !== nodeId) {
      return undefined;
    }
    const isSent = appliedThrough >= kept.head && appliedThrough <= kept.sentThrough;
    return isSent && appliedThrough >= purgedThrough && under >= kept.under ? kept : undefined;
  }
}
