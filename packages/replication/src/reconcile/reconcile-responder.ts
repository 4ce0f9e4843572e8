/**
 * The directory's half of a reconciliation: it answers, and remembers nothing between two questions but the
 * offers that it is still answering.
 *
 * A node walks through the key space and asks which of its ranges differ (`compare`); for those that do, it
 * lists what it has (`offer`), and the directory sends what is newer here as donations, and the keys of what
 * is newer there as `wanted`. Everything is paged, and pauses while the link is full.
 */
import type { DirectoryLog, Link } from "@meridian/ports";
import {
  assembleFrame,
  burial,
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
  type RangeDigest,
} from "@meridian/protocol";

import type { DirectoryLimits } from "../limits.ts";
import { digestOf } from "./digest.ts";

type Offer = Extract<NodeMessage, { type: "offer" }>;
type Compare = Extract<NodeMessage, { type: "compare" }>;

/** An offer that is being answered. */
interface Answer {
  readonly offer: Offer;
  /** How many of the offered entries have been dealt with. */
  next: number;
  /** The log's keys through here have been dealt with. */
  after: string | null;
  readonly wanted: string[];
  donated: number;
}

const PAGE = 256;
/** How many offers may wait to be answered. */
const OFFERS_MAX = 16_384;
/** How many entries those offers may be of, all together: a node has no more under comparison at a time. */
export const OFFERED_MAX = 65_536;
/** How many entries one question may be about. */
const COMPARED_MAX = 65_536;

/** What a responder needs. */
export interface ResponderOptions {
  readonly log: DirectoryLog;
  readonly link: Link;
  readonly limits: Pick<DirectoryLimits, "linkBytesMax">;
  /** What is purgeable under it is left out. */
  readonly horizon: number;
  /** What is offered, as old as that, and absent here, is answered with its burial; 0 for never. Invariant: ≤ `horizon`. */
  readonly buriesUnder: number;
  nowMs(): number;
}

export class ReconcileResponder {
  readonly #options: ResponderOptions;
  readonly #answers: Answer[] = [];
  #offered = 0;
  /** Keys through here have been compared, each at least once. */
  #compared = "";
  #comparedAll = false;

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  /**
   * Answers which of the ranges differ from the log's. Returns whether the node's walk
   * through the key space has got further by this. Throws `MALFORMED_MESSAGE` for too many entries.
   */
  compare({ id, from, ranges }: Compare): boolean {
    const entries = ranges.reduce((sum, { count }) => sum + count, 0);
    if (entries > COMPARED_MAX) {
      const said = `Expected at most ${COMPARED_MAX} entries to compare, got ${entries}`;
      throw new MeridianError("MALFORMED_MESSAGE", said);
    }
    const differing: number[] = [];
    let after = from;
    for (const [index, range] of ranges.entries()) {
      if (!this.#isSame(after, range)) differing.push(index);
      after = range.to;
    }
    const { link } = this.#options;
    link.send(encodeMessage({ type: "compared", nowMs: this.#options.nowMs(), id, differing }));
    return this.#goOn(from, after);
  }

  /** Keys that have been compared before are nothing new, however often they are. */
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
    return this.#answers.length > 0;
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
    this.#answers.push({ offer, next: 0, after: offer.from, wanted: [], donated: 0 });
    this.pump();
  }

  /** Goes on answering, as far as the link has room. */
  pump(): void {
    const { link, limits } = this.#options;
    for (let answer = this.#answers[0]; answer !== undefined;) {
      if (link.bufferedBytes >= limits.linkBytesMax) return;
      if (this.#page(answer)) {
        this.#answers.shift();
        this.#offered -= answer.offer.entries.length;
        const { wanted: keys, donated } = answer;
        const { id } = answer.offer;
        const nowMs = this.#options.nowMs();
        link.send(encodeMessage({ type: "wanted", nowMs, id, donated, keys }));
      }
      answer = this.#answers[0];
    }
  }

  /** One entry more than the range is said to have is enough to know that it differs. */
  #isSame(after: string | null, range: RangeDigest): boolean {
    const { log, horizon } = this.#options;
    const summaries = log
      .summariesAfter(after, range.count + 1, horizon)
      .filter(({ key }) => isWithin(key, range.to));
    return (
      summaries.length === range.count && digestOf(summaries).fingerprint === range.fingerprint
    );
  }

  /** Deals with a page of the log's keys, or as many as one frame takes. Returns whether the offer is answered. */
  #page(answer: Answer): boolean {
    const { log, horizon } = this.#options;
    const { entries, to } = answer.offer;
    const page = log.summaryPage(answer.after, PAGE, horizon);
    const donated: Entry[] = [];
    let bytes = 0;
    for (const summary of page.summaries) {
      if (!isWithin(summary.key, to)) break;
      if (bytes >= FRAME_BYTES_TARGET) return this.#donate(answer, donated, false);
      donated.push(...this.#takeOfferedBefore(answer, summary.key));
      const offered = entries[answer.next];
      let order = 1;
      if (offered !== undefined && offered[0] === summary.key) {
        answer.next += 1;
        order = compareStamps(summary.stamp, { time: offered[1], origin: offered[2] });
      }
      const entry = order > 0 ? log.get(summary.key) : undefined;
      if (entry !== undefined) bytes += entryBytes(entry);
      if (entry !== undefined) donated.push(entry);
      if (order < 0) answer.wanted.push(summary.key);
      answer.after = summary.key;
    }
    const isOver = page.next === null || page.next === to || !isWithin(page.next, to);
    answer.after = page.next;
    if (isOver) donated.push(...this.#takeOfferedBefore(answer, null));
    return this.#donate(answer, donated, isOver);
  }

  /**
   * What the node has below `key` and the log has not. Returns what the log does have that is newer, and was left out
   * because it is purgeable under the node's horizon: the node has never heard of it. And the burials of what was deleted.
   */
  #takeOfferedBefore(answer: Answer, key: string | null): Entry[] {
    const { log, horizon, buriesUnder } = this.#options;
    const { entries } = answer.offer;
    const newer: Entry[] = [];
    for (let offered = entries[answer.next]; offered !== undefined;) {
      if (key !== null && compareKeys(offered[0], key) >= 0) break;
      const [offeredKey, time, origin] = offered;
      const held = horizon === 0 ? undefined : log.get(offeredKey);
      if (held !== undefined && compareStamps(held.stamp, { time, origin }) > 0) {
        newer.push(isPurgeable(held, horizon) ? emptied(held) : held);
      } else if (time <= buriesUnder && (held === undefined || isPurgeable(held, buriesUnder))) {
        newer.push(burial(offeredKey, time));
      } else answer.wanted.push(offeredKey);
      answer.next += 1;
      offered = entries[answer.next];
    }
    return newer;
  }

  #donate(answer: Answer, entries: readonly Entry[], isOver: boolean): boolean {
    if (entries.length === 0) return isOver;
    answer.donated += entries.length;
    const header = {
      kind: FRAME_KIND.donation,
      reportApplied: false,
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

/** An entry that is not live any more, without its bytes. */
function emptied(entry: Entry): Entry {
  return { ...entry, value: NO_BYTES, contentType: "", deleted: true };
}

function isWithin(key: string, to: string | null): boolean {
  return to === null || compareKeys(key, to) <= 0;
}
