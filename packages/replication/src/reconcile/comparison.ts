import type { DirectoryLog } from "@meridian/ports";
import { compareKeys, type NodeMessage } from "@meridian/protocol";

import { DigestBuilder } from "./digest.ts";

type Compare = Extract<NodeMessage, { type: "compare" }>;

/** How many entries are read at a time. */
const PAGE = 1_024;
/** What a range costs beside its entries: looking its first key up. */
const RANGE_COST = 16;

/** One question which of its ranges differ from the log's, answered in steps. */
export class Comparison {
  readonly question: Compare;
  /** The indexes of the ranges that differ, as far as they have been compared. */
  readonly differing: number[] = [];
  readonly #log: Pick<DirectoryLog, "summaryPage">;
  readonly #horizon: number;
  #index = 0;
  /** The keys of the range through here are in the digest. */
  #after: string | null;
  #digest = new DigestBuilder();
  #left: number;

  /** What is purgeable under `horizon` is left out. */
  constructor(log: Pick<DirectoryLog, "summaryPage">, horizon: number, question: Compare) {
    this.question = question;
    this.#log = log;
    this.#horizon = horizon;
    this.#after = question.from;
    this.#left = countAt(question, 0);
  }

  /** Whether every range has been compared. */
  get isDone(): boolean {
    return this.#index >= this.question.ranges.length;
  }

  /** Reads on, and returns what that has cost: about as many entries as were read. */
  step(): number {
    const range = this.question.ranges[this.#index];
    if (range === undefined) return 0;
    // One entry more than the range is said to have is enough to know that it differs.
    const wanted = Math.min(PAGE, this.#left + 1);
    const { summaries, next } = this.#log.summaryPage(this.#after, wanted, this.#horizon);
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
    return RANGE_COST + summaries.length;
  }

  #endRange(to: string | null): void {
    const { fingerprint } = this.#digest.finish();
    const isSame =
      this.#left === 0 && fingerprint === this.question.ranges[this.#index]?.fingerprint;
    if (!isSame) this.differing.push(this.#index);
    this.#index += 1;
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
