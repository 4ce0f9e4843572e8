/**
 * Which messages of the stream count.
 *
 * A writer sends many messages before it hears of the first, each under the condition of its place: that so many messages are before it. That
 * alone keeps nobody out. Say the stream ends with message 7, and a writer has sent 8, 9 and 10. Another directory begins an epoch as
 * message 8. The writer's 8 is refused, but the condition of its 9 is now true, and it is stored behind the new epoch.
 *
 * So a message names its epoch and its number in it. It counts only if its epoch is the one that began last before it in the stream, and its number is
 * the next of that epoch. Everything else is passed over, by every reader in the same way, because only the stream decides.
 *
 * A writer may say the begin of its epoch again before the stream is trimmed, so that the newest message of the subject `epoch` stays. That one has
 * a number like any other message. It is sent only while no message before it is on its way, so its condition is enough: it never lies behind another epoch.
 */
import type { StreamMessage } from "./log-stream.ts";
import { ALL_STREAM_RULES, type StreamRules } from "./rules.ts";

/** What the id of a message says. */
export interface MessageId {
  /** The epoch of its writer. */
  readonly epoch: number;
  /** Counted from 1 in the epoch; 0 for its begin, but not for that said again. */
  readonly number: number;
  /** The place for which it was sent: sent again for the same place it is the same message, which the stream stores once. */
  readonly sequence: number;
}

const RADIX = 36;

/** Writes an id. No other message has it. */
export function messageId({ epoch, number, sequence }: MessageId): string {
  return `${epoch.toString(RADIX)}-${number}-${sequence}`;
}

/** Reads an id; undefined if no directory has written it. */
export function parseMessageId(id: string): MessageId | undefined {
  const [, epoch, number, sequence] = /^([\da-z]+)-(\d+)-(\d+)$/.exec(id) ?? [];
  if (epoch === undefined) return undefined;
  return { epoch: parseInt(epoch, RADIX), number: Number(number), sequence: Number(sequence) };
}

/** A place in a stream. */
interface Place {
  readonly sequence: number;
  readonly id: string;
}

/** Through which record of a message a database has it: its id stands for all, and otherwise how many is added to it. */
export function placeWithin({ sequence, id }: Place, records: number, count: number): Place {
  return { sequence, id: records === count ? id : `${id}/${records}` };
}

/** What the id of a place says: the id of the message, and how many of its records the database has; undefined for all. */
export function readPlace(id: string): {
  readonly message: string;
  readonly records: number | undefined;
} {
  const [message = "", records] = id.split("/");
  return { message, records: records === undefined ? undefined : Number(records) };
}

/** Follows the messages of a stream, and tells which of them count. */
export class Lineage {
  readonly #rules: Pick<StreamRules, "olderEpochsArePassedOver">;
  #epoch = 0;
  #next = 0;

  /** `id` is that of a database's place; undefined for one that has nothing yet. A message of which it lacks records counts once more. */
  constructor(
    id: string | undefined,
    rules: Pick<StreamRules, "olderEpochsArePassedOver"> = ALL_STREAM_RULES,
  ) {
    this.#rules = rules;
    if (id === undefined) return;
    const { message, records } = readPlace(id);
    const last = parseMessageId(message);
    if (last === undefined) return;
    this.#begin(last);
    if (records !== undefined) this.#next = last.number;
  }

  /** Whether the next message counts. */
  counts({ subject, id }: Pick<StreamMessage, "subject" | "id">): boolean {
    const read = parseMessageId(id);
    if (read === undefined) return false;
    const isBegin = subject === "epoch" && read.number === 0;
    if (!this.#rules.olderEpochsArePassedOver) return true;
    const counts = isBegin || (read.epoch === this.#epoch && read.number === this.#next);
    if (counts) this.#begin(read);
    return counts;
  }

  #begin({ epoch, number }: MessageId): void {
    this.#epoch = epoch;
    this.#next = number + 1;
  }
}
