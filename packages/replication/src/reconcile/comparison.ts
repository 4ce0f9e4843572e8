import type { DirectoryLog } from "@meridian/ports";
import { compareKeys, type NodeMessage } from "@meridian/protocol";

import { DigestBuilder } from "./digest.ts";

type Compare = Extract<NodeMessage, { type: "compare" }>;

/** What a range costs on top of its entries, in entries: looking up its first key. */
const RANGE_COST = 16;

/** A question of a peer, and the log that it is about. */
export interface ComparisonOptions {
  readonly log: Pick<DirectoryLog, "summaryPage">;
  /** Entries that are purgeable under this horizon are left out. */
  readonly horizon: number;
  /** How many entries are read at a time. */
  readonly rowsMax: number;
  readonly question: Compare;
  /** The keys after `from` through `to` are the same. */
  onSame(from: string | null, to: string | null): void;
}

/** Answers one `compare` message in steps: which of its ranges differ from the log's. */
export class Comparison {
  readonly question: Compare;
  /** The indexes of the ranges that differ, as far as they have been compared. */
  readonly differing: number[] = [];
  readonly #options: ComparisonOptions;
  #index = 0;
  /** Where the range begins. */
  #from: string | null;
  /** The keys of the range through here are in the digest. */
  #after: string | null;
  #digest = new DigestBuilder();
  #left: number;

  constructor(options: ComparisonOptions) {
    const { question } = options;
    this.question = question;
    this.#options = options;
    this.#from = question.from;
    this.#after = question.from;
    this.#left = countAt(question, 0);
  }

  /** Whether every range has been compared. */
  get isDone(): boolean {
    return this.#index >= this.question.ranges.length;
  }

  /** Reads on, and returns how many rows that may have read, the rows that are left out included. */
  step(): number {
    const range = this.question.ranges[this.#index];
    if (range === undefined) return 0;
    const { log, horizon, rowsMax } = this.#options;
    // A range that has more entries here than the peer says differs; reading one more than that is enough.
    const wanted = Math.min(rowsMax, this.#left + 1);
    const { summaries, next } = log.summaryPage(this.#after, wanted, horizon);
    let isOver = next === null || isAtEnd(next, range.to);
    for (const summary of summaries) {
      if (range.to !== null && compareKeys(summary.key, range.to) > 0) {
        isOver = true;
        break;
      }
      this.#digest.add(summary);
      this.#left -= 1;
    }
    this.#after = next;
    if (isOver || this.#left < 0) this.#endRange(range.to);
    return RANGE_COST + wanted;
  }

  #endRange(to: string | null): void {
    const { fingerprint } = this.#digest.finish();
    const isSame =
      this.#left === 0 && fingerprint === this.question.ranges[this.#index]?.fingerprint;
    if (isSame) this.#options.onSame(this.#from, to);
    else this.differing.push(this.#index);
    this.#index += 1;
    this.#from = to;
    this.#after = to;
    this.#digest = new DigestBuilder();
    this.#left = countAt(this.question, this.#index);
  }
}

function countAt({ ranges }: Compare, index: number): number {
  return ranges[index]?.count ?? 0;
}

/** Whether keys behind `next` lie behind a range that ends with `to`. */
function isAtEnd(next: string, to: string | null): boolean {
  return to !== null && compareKeys(next, to) >= 0;
}
