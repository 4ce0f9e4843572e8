/**
 * The directory's half of a reconciliation: it answers, and remembers nothing between two questions but the
 * offers that it is still answering.
 *
 * A node walks through the key space and asks which of its ranges differ (`compare`); for those that do, it
 * lists what it has (`offer`), and the directory sends what is newer here as donations, and the keys of what
 * is newer there as `wanted`. Everything is paged, pauses while the link is full, and lets other work run after a bounded
 * number of entries, whatever the node asks.
 */
import type { DirectoryLog, Link } from "@meridian/ports";
import {
  assembleFrame,
  burial,
  COMPARED_ENTRIES_MAX,
  compareKeys,
  compareStamps,
  encodeBlock,
  entryBytes,
  encodeMessage,
  FRAME_BYTES_TARGET,
  FRAME_KIND,
  highestTimeOf,
  isPurgeable,
  MeridianError,
  NO_BYTES,
  type Entry,
  type NodeMessage,
} from "@meridian/protocol";

import { TurnWork } from "../turn-work.ts";
import { Comparison } from "./comparison.ts";
import type { OpenRanges } from "./open-ranges.ts";

type Offer = Extract<NodeMessage, { type: "offer" }>;
type Compare = Extract<NodeMessage, { type: "compare" }>;

/** An offer that is being answered. */
interface OfferAnswer {
  readonly offer: Offer;
  /** How many of the offered entries have been answered. */
  next: number;
  /** The log's keys through this one have been answered. */
  after: string | null;
  /** How many keys of the log are looked at next. */
  rows: number;
  readonly wanted: string[];
  donated: number;
}

/** How many keys of the log are looked at for an offer beyond those that are offered; twice as many with each page. */
const ROWS_BESIDE = 32;
/** How many offers may wait to be answered. */
const OFFERS_MAX = 16_384;
/** How many entries all waiting offers may list together: a node has no more under comparison at a time. */
export const OFFERED_MAX = 65_536;
/** How many questions may wait to be answered. Together they are about no more entries than one question may be. */
const COMPARES_MAX = 1_024;

/** What a responder needs. */
export interface ResponderOptions {
  readonly log: DirectoryLog;
  readonly link: Link;
  /** Bytes that may wait on the link before the answers do. */
  readonly linkBytesMax: () => number;
  /** The parts of the key space that are still to be compared: all of it, unless an earlier reconciliation goes on. */
  readonly open: OpenRanges;
  /** What is purgeable under it is left out. */
  readonly horizon: number;
  /** Rows of the log that are looked at for one page of an answer, and twice as many for a step of a comparison. */
  readonly pageRows: number;
  /**
   * An offered entry at or behind this horizon that the log does not know is answered with its burial; 0 for never. It may rise while the peer
   * compares: what has deleted the entry may be purged meanwhile.
   */
  buriesUnder(): number;
  nowMs(): number;
  /** Runs `callback` in a later turn, unless the link is gone by then. An error that `callback` throws ends the link. */
  later(callback: () => void): void;
}

/** How many rows of the log were looked at, and how many bytes of entries. */
export interface Looked {
  readonly rows: number;
  readonly bytes: number;
}

/** Answers the `compare` and `offer` messages of one peer from the log. */
export class ReconcileResponder {
  readonly #options: ResponderOptions;
  readonly #comparisons: Comparison[] = [];
  readonly #answers: OfferAnswer[] = [];
  readonly #open: OpenRanges;
  /** Entries of the questions, and of the offers, that wait to be answered. */
  #asked = 0;
  #offered = 0;
  readonly #work: TurnWork;
  #looked: Looked = { rows: 0, bytes: 0 };
  /** Entries that were looked up for the page under way, and their bytes. */
  #read = { rows: 0, bytes: 0 };
  /** Keys through here have been compared, each at least once. */
  #compared = "";
  #comparedAll = false;

  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#open = options.open;
    this.#work = new TurnWork(
      (callback) => options.later(callback),
      () => this.pump(),
    );
  }

  /**
   * Takes a question which of the ranges differ from the log's, and starts answering it. Returns whether the node's walk
   * through the key space has got further by this. Throws `MALFORMED_MESSAGE` for too many entries or questions.
   */
  compare(question: Compare): boolean {
    this.#asked += entriesOf(question);
    if (this.#asked > COMPARED_ENTRIES_MAX || this.#comparisons.length >= COMPARES_MAX) {
      const said = `Expected at most ${COMPARES_MAX} questions about ${COMPARED_ENTRIES_MAX} entries, got more`;
      throw new MeridianError("MALFORMED_MESSAGE", said);
    }
    const { log, horizon, pageRows } = this.#options;
    const onSame = (from: string | null, to: string | null): void => this.#open.settle(from, to);
    this.#comparisons.push(
      new Comparison({ log, horizon, rowsMax: 2 * pageRows, question, onSame }),
    );
    this.pump();
    return this.#goOn(question.from, question.ranges.at(-1)?.to ?? null);
  }

  /** What has been looked at so far. */
  get looked(): Looked {
    return this.#looked;
  }

  #spend(rows: number, bytes: number = 0): void {
    this.#work.spend(rows, bytes);
    this.#looked = { rows: this.#looked.rows + rows, bytes: this.#looked.bytes + bytes };
  }

  /** Whether, through the sequence at which the log was compared, the two sides hold the same. */
  get isWhole(): boolean {
    return this.#open.isEmpty;
  }

  /** Counts a key as progress only the first time that it is compared. */
  #goOn(from: string | null, to: string | null): boolean {
    if (this.#comparedAll || !isWithin(from ?? "", this.#compared)) return false;
    if (to !== null && isWithin(to, this.#compared)) return false;
    this.#compared = to ?? this.#compared;
    this.#comparedAll = to === null;
    return true;
  }

  /** Entries of the offers that wait to be answered. */
  get offeredEntries(): number {
    return this.#offered;
  }

  /** Whether offers wait to be answered. */
  get isAnswering(): boolean {
    return this.#answers.length > 0 || this.#comparisons.length > 0;
  }

  /** Takes a list of what the node has in a range, and starts answering it. Throws `MALFORMED_MESSAGE` for too many. */
  offer(offer: Offer): void {
    if (this.#answers.length >= OFFERS_MAX) {
      const said = `Expected at most ${OFFERS_MAX} offers to answer, got one more`;
      throw new MeridianError("MALFORMED_MESSAGE", said);
    }
    this.#offered += offer.entries.length;
    if (this.#offered > OFFERED_MAX) {
      const said = `Expected at most ${OFFERED_MAX} offered entries to answer, got ${this.#offered}`;
      throw new MeridianError("MALFORMED_MESSAGE", said);
    }
    const rows = Math.min(this.#options.pageRows, offer.entries.length + ROWS_BESIDE);
    this.#answers.push({ offer, next: 0, after: offer.from, rows, wanted: [], donated: 0 });
    this.pump();
  }

  get #hasRoom(): boolean {
    return this.#options.link.bufferedBytes < this.#options.linkBytesMax();
  }

  /** Goes on answering until the link is full or the turn is over. */
  pump(): void {
    while (this.isAnswering && this.#hasRoom && this.#work.mayGoOn()) {
      const [comparison] = this.#comparisons;
      const [answer] = this.#answers;
      if (comparison !== undefined) this.#compare(comparison);
      else if (answer !== undefined) this.#answer(answer);
    }
  }

  #compare(comparison: Comparison): void {
    this.#spend(comparison.step());
    if (!comparison.isDone) return;
    this.#comparisons.shift();
    const { question, differing } = comparison;
    this.#asked -= entriesOf(question);
    const { id } = question;
    const nowMs = this.#options.nowMs();
    this.#options.link.send(encodeMessage({ type: "compared", nowMs, id, differing }));
  }

  #answer(answer: OfferAnswer): void {
    if (!this.#page(answer)) return;
    this.#answers.shift();
    const { wanted: keys, donated, offer } = answer;
    this.#offered -= offer.entries.length;
    this.#open.settle(offer.from, offer.to);
    const nowMs = this.#options.nowMs();
    this.#options.link.send(encodeMessage({ type: "wanted", nowMs, id: offer.id, donated, keys }));
  }

  /** Answers for a page of the log's keys, or for as many as one frame takes. Returns whether the offer is answered. */
  #page(answer: OfferAnswer): boolean {
    const { log, horizon, pageRows } = this.#options;
    const { entries, to } = answer.offer;
    this.#read = { rows: 0, bytes: 0 };
    const page = log.summaryPage(answer.after, answer.rows, horizon);
    const donated: Entry[] = [];
    this.#spend(answer.rows);
    answer.rows = Math.min(pageRows, 2 * answer.rows);
    for (const summary of page.summaries) {
      if (!isWithin(summary.key, to)) break;
      if (this.#isPageFull) return this.#donate(answer, donated, false);
      const isReached = this.#takeOfferedBefore(answer, summary.key, donated);
      if (!isReached) return this.#donate(answer, donated, false);
      const offered = entries[answer.next];
      let order = 1;
      if (offered !== undefined && offered[0] === summary.key) {
        answer.next += 1;
        order = compareStamps(summary.stamp, { time: offered[1], origin: offered[2] });
      }
      const entry = order > 0 ? this.#get(summary.key) : undefined;
      if (entry !== undefined) donated.push(entry);
      if (order < 0) answer.wanted.push(summary.key);
      answer.after = summary.key;
    }
    const isOver = page.next === null || page.next === to || !isWithin(page.next, to);
    if (!isOver) answer.after = page.next;
    const isAnswered = isOver && this.#takeOfferedBefore(answer, null, donated);
    return this.#donate(answer, donated, isAnswered);
  }

  /**
   * What the node has below `key` and the log has not. Adds to `newer` what the log does have that is newer, and was left out
   * because it is purgeable under the node's horizon: the node has never heard of it. And the burials of what was deleted.
   * Returns whether it has come to `key`: it stops where the page is full.
   */
  #takeOfferedBefore(answer: OfferAnswer, key: string | null, newer: Entry[]): boolean {
    const { horizon } = this.#options;
    const buriesUnder = this.#options.buriesUnder();
    const { entries } = answer.offer;
    for (let offered = entries[answer.next]; offered !== undefined;) {
      if (key !== null && compareKeys(offered[0], key) >= 0) return true;
      if (this.#isPageFull) return false;
      const [offeredKey, time, origin] = offered;
      const held = horizon === 0 ? this.#pass() : this.#get(offeredKey);
      if (held !== undefined && compareStamps(held.stamp, { time, origin }) > 0) {
        newer.push(isPurgeable(held, horizon) ? emptied(held) : held);
      } else if (time <= buriesUnder && (held === undefined || isPurgeable(held, buriesUnder))) {
        newer.push(burial(offeredKey, time));
      } else answer.wanted.push(offeredKey);
      answer.next += 1;
      offered = entries[answer.next];
    }
    return true;
  }

  get #isPageFull(): boolean {
    return this.#read.rows >= this.#options.pageRows || this.#read.bytes >= FRAME_BYTES_TARGET;
  }

  #get(key: string): Entry | undefined {
    const entry = this.#options.log.get(key);
    this.#pass(entry === undefined ? 0 : entryBytes(entry));
    return entry;
  }

  #pass(bytes: number = 0): undefined {
    this.#read.rows += 1;
    this.#read.bytes += bytes;
    this.#spend(1, bytes);
  }

  #donate(answer: OfferAnswer, entries: readonly Entry[], isOver: boolean): boolean {
    if (entries.length === 0) return isOver;
    answer.donated += entries.length;
    const header = {
      kind: FRAME_KIND.donation,
      reportApplied: false,
      incomplete: false,
      count: entries.length,
      after: 0,
      through: 0,
      committedThrough: 0,
      highestTime: highestTimeOf(entries),
      sentAtMs: this.#options.nowMs(),
      incarnation: 0,
      position: answer.offer.id,
    };
    this.#options.link.send(assembleFrame(header, encodeBlock(entries)));
    return isOver;
  }
}

function entriesOf({ ranges }: Compare): number {
  // A range without entries takes room in the message, too.
  return ranges.reduce((sum, { count }) => sum + Math.max(1, count), 0);
}

/** A tombstone or expired entry, without its value. */
function emptied(entry: Entry): Entry {
  return { ...entry, value: NO_BYTES, contentType: "", deleted: true };
}

function isWithin(key: string, to: string | null): boolean {
  return to === null || compareKeys(key, to) <= 0;
}
