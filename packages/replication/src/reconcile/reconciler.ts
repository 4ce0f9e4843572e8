/**
 * A node's half of a reconciliation: finds what differs from the directory's log, and has it exchanged.
 *
 * The node walks through its keys in order and sends the digests of ranges; of those that differ, large ones
 * are split while only some differ, and small ones are offered: the node lists what it has, and the
 * directory gives what is newer there and names what it wants. What it wants goes out through the outbox,
 * like any write, with the stamps it has. At most `windowEntries` are under comparison at a time, so memory
 * does not grow with the data. Live frames are applied meanwhile: merging makes the order irrelevant.
 */
import type { ReplicaStore } from "@meridian/ports";
import {
  compareKeys,
  encodeMessage,
  MeridianError,
  type DirectoryMessage,
  type RangeDigest,
  type Summary,
} from "@meridian/protocol";

import type { ReplicaLimits } from "../limits.ts";
import type { Rules } from "../rules.ts";
import { TurnWork } from "../turn-work.ts";
import { digestOf } from "./digest.ts";

/** The part of a store that a reconciler reads. */
export type ReconcilerStore = Pick<ReplicaStore, "summaryPage">;

/** How much a reconciler asks at a time. */
export type ReconcileLimits = Pick<ReplicaLimits, "rangeEntries" | "windowEntries">;

/** The link of a reconciler, and whom it works for. */
export interface ReconcilerOptions {
  readonly store: ReconcilerStore;
  readonly rules: Rules;
  readonly limits: ReconcileLimits;
  send(message: string): void;
  /** Runs `callback` in a later turn, unless the link is gone by then. An error that `callback` throws ends the link. */
  later(callback: () => void): void;
  ownMs(): number;
  /** Gives the log the newest entries of `keys`. Calls back when it has them. */
  giveAgain(keys: readonly string[], done: () => void): void;
  onDone(): void;
}

/** Keys after `from` through `to`; null for the ends of the key space. */
interface Range {
  readonly from: string | null;
  readonly to: string | null;
  readonly count: number;
}

interface Differing {
  readonly range: Range;
  readonly split: boolean;
}

/** A part of what the store has. */
interface Read {
  readonly summaries: readonly Summary[];
  readonly to: string | null;
}

interface Question {
  readonly ranges: readonly Range[];
  /** Whether the ranges that differ are to be split if this question has to be asked again. */
  readonly split: boolean;
  readonly entries: number;
  /** Entries that have been donated in answer. */
  donated: number;
}

const RANGES_A_QUESTION = 2;
const SPLIT = 16;
/** Ranges of no more entries than this part of `rangeEntries` are offered, not split. */
const OFFERED_PART = 8;

/** Walks through the key space of a node and finds the ranges in which the log differs. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #questions = new Map<number, Question>();
  /** Ranges known to differ, to be split or offered. */
  readonly #differing: Differing[] = [];
  #walkFrom: string | null = null;
  #walked = false;
  #nextId = 1;
  #inQuestion = 0;
  #giving = 0;
  #begun = false;
  /** Whether there is nobody to ask. */
  #isPaused = false;
  /** What is given at once calls back within the answer that asked for it, which then proceeds, too: it is over once. */
  #isDone = false;
  #horizon = 0;
  readonly #work: TurnWork;
  /** How many rows are read at a time. */
  readonly #page: number;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#page = options.limits.rangeEntries * RANGES_A_QUESTION;
    this.#work = new TurnWork(
      (callback) => options.later(callback),
      () => this.#proceed(),
    );
  }

  get begun(): boolean {
    return this.#begun;
  }

  /**
   * The directory is ready to answer, and leaves out what is purgeable under `horizon`, as this side does. After a pause, it goes on
   * where it was.
   */
  begin(horizon: number): void {
    this.#begun = true;
    this.#isPaused = false;
    this.#horizon = horizon;
    this.#proceed();
  }

  /** The link is gone: questions without an answer are asked again on the next one. */
  pause(): void {
    this.#isPaused = true;
    for (const { ranges, split } of this.#questions.values()) {
      for (const range of ranges) this.#differing.push({ range, split });
    }
    this.#questions.clear();
    this.#inQuestion = 0;
  }

  onCompared({ id, differing }: Extract<DirectoryMessage, { type: "compared" }>): void {
    const question = this.#questions.get(id);
    if (question === undefined) return;
    checkIndexes(differing, question.ranges.length);
    this.#close(id, question);
    // If every range differs, splitting them tells nothing.
    const split = differing.length < question.ranges.length;
    for (const index of differing) {
      const range = question.ranges[index];
      if (range !== undefined) this.#differing.push({ range, split });
    }
    this.#proceed();
  }

  /** Entries have been donated in answer to an offer. */
  onDonation(id: number, count: number): void {
    const question = this.#questions.get(id);
    if (question !== undefined) question.donated += count;
  }

  /** Throws `OUT_OF_ORDER` if a donation is missing. */
  onWanted({ id, donated, keys }: Extract<DirectoryMessage, { type: "wanted" }>): void {
    const question = this.#questions.get(id);
    if (question === undefined) return;
    const { rules } = this.#options;
    if (question.donated !== donated && rules.donationsAreCounted) {
      const said = `Expected ${donated} donated entries, got ${question.donated}`;
      throw new MeridianError("OUT_OF_ORDER", said);
    }
    for (const key of keys) checkWithin(key, question.ranges);
    this.#close(id, question);
    if (keys.length > 0 && rules.wantedIsGiven) {
      this.#options.giveAgain(keys, this.hold(keys.length));
    }
    this.#proceed();
  }

  /** Keeps the reconciliation open until the function that is returned is called: the log is to get `entries` more of this side. */
  hold(entries: number): () => void {
    this.#giving += entries;
    return () => {
      this.#giving -= entries;
      this.#proceed();
    };
  }

  /** Asks on until the window is full or the turn is over. */
  #proceed(): void {
    if (this.#isPaused) return;
    const { windowEntries } = this.#options.limits;
    while (this.#inQuestion + this.#giving < windowEntries && this.#work.mayGoOn()) {
      const next = this.#differing.pop();
      if (next !== undefined) this.#askAbout(next);
      else if (!this.#walked) this.#walk();
      else break;
    }
    if (!this.#walked || this.#questions.size > 0 || this.#giving > 0) return;
    if (this.#differing.length > 0 || this.#isDone) return;
    this.#isDone = true;
    this.#options.onDone();
  }

  #askAbout(next: Differing): void {
    const { rangeEntries } = this.#options.limits;
    try {
      if (next.split && next.range.count > rangeEntries / OFFERED_PART) this.#split(next.range);
      else this.#offer(next.range);
    } catch (failure) {
      // The range could not be read, and stays open.
      this.#differing.push(next);
      throw failure;
    }
  }

  #walk(): void {
    const { store, limits } = this.#options;
    const from = this.#walkFrom;
    const { summaries, next } = store.summaryPage(from, this.#page, this.#horizon);
    this.#work.spend(this.#page);
    this.#walked = next === null;
    this.#walkFrom = next;
    // A page counts in full, because all of it was read.
    this.#compare(from, summaries, limits.rangeEntries, next, this.#page);
  }

  #split(range: Range): void {
    const { summaries, to } = this.#read(range, true, this.#page);
    this.#compare(range.from, summaries, Math.ceil(range.count / SPLIT), to);
  }

  /** Asks about `summaries`, which are all there is after `from` through `to`, in ranges of `size`. */
  #compare(
    from: string | null,
    summaries: readonly Summary[],
    size: number,
    to: string | null,
    weight: number = summaries.length,
  ): void {
    const ranges: Range[] = [];
    const digests: RangeDigest[] = [];
    let after = from;
    for (let start = 0; start === 0 || start < summaries.length; start += size) {
      const part = summaries.slice(start, start + size);
      const isLast = start + size >= summaries.length;
      const end = isLast ? to : (part.at(-1)?.key ?? to);
      ranges.push({ from: after, to: end, count: part.length });
      digests.push({ to: end, ...digestOf(part) });
      after = end;
    }
    const id = this.#ask(ranges, true, weight);
    const nowMs = this.#options.ownMs();
    this.#options.send(encodeMessage({ type: "compare", nowMs, id, from, ranges: digests }));
  }

  #offer(range: Range): void {
    const { from } = range;
    const { summaries, to } = this.#read(range, false, this.#options.limits.rangeEntries);
    const id = this.#ask([{ from, to, count: summaries.length }], false, summaries.length);
    const entries = summaries.map(({ key, stamp }): [string, number, number] => [
      key,
      stamp.time,
      stamp.origin,
    ]);
    const nowMs = this.#options.ownMs();
    this.#options.send(encodeMessage({ type: "offer", nowMs, id, from, to, entries }));
  }

  /**
   * What there is from the beginning of a range through `to`: its end, or as far as a turn gets. New keys may have come into the range since
   * it was counted, and any number in it may be purgeable. What is left of it is a range that differs, too.
   */
  #read(range: Range, split: boolean, entriesMax: number): Read {
    const summaries: Summary[] = [];
    let from = range.from;
    for (let rows = 0; rows < this.#page && summaries.length < entriesMax;) {
      const limit = Math.min(range.count + 1, this.#page - rows, entriesMax - summaries.length);
      const page = this.#options.store.summaryPage(from, limit, this.#horizon);
      this.#work.spend(limit);
      rows += limit;
      for (const summary of page.summaries) if (isIn(summary.key, range)) summaries.push(summary);
      from = page.next;
      if (from === null || from === range.to || !isIn(from, range)) {
        return { summaries, to: range.to };
      }
    }
    const count = Math.max(0, range.count - summaries.length);
    this.#differing.push({ range: { from, to: range.to, count }, split });
    return { summaries, to: from };
  }

  #ask(ranges: readonly Range[], split: boolean, entries: number): number {
    const id = this.#nextId;
    this.#nextId += 1;
    this.#questions.set(id, { ranges, split, entries, donated: 0 });
    this.#inQuestion += entries;
    return id;
  }

  #close(id: number, { entries }: Question): void {
    this.#questions.delete(id);
    this.#inQuestion -= entries;
  }
}

/** Throws `MALFORMED_MESSAGE` unless these are indexes of `count` ranges, each once, in order. */
function checkIndexes(indexes: readonly number[], count: number): void {
  const isRight = indexes.every((index, at) => index < count && index > (indexes[at - 1] ?? -1));
  if (isRight) return;
  const said = `Expected indexes of ${count} ranges in order, got others`;
  throw new MeridianError("MALFORMED_MESSAGE", said);
}

/** Throws `MALFORMED_MESSAGE` unless a key lies in the one range that was offered. */
function checkWithin(key: string, [range]: readonly Range[]): void {
  if (range !== undefined && isIn(key, range)) return;
  throw new MeridianError("MALFORMED_MESSAGE", "Expected keys of the range offered, got another");
}

function isIn(key: string, { from, to }: Pick<Range, "from" | "to">): boolean {
  const isBehind = from === null || compareKeys(key, from) > 0;
  return isBehind && (to === null || compareKeys(key, to) <= 0);
}
