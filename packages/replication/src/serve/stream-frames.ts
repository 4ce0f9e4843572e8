import type { DirectoryLog } from "@meridian/ports";
import { assembleFrame, FRAME_KIND, hidePosition, type LogFrame } from "@meridian/protocol";

import { RecentFrames, type OrderedFrame } from "../order/recent-frames.ts";

/**
 * The frames of a log that another directory writes, as they come: all of them are durable there. The newest are kept in memory, and at least those
 * that are not on this directory's own disk yet.
 */
export class StreamFrames {
  readonly #log: Pick<DirectoryLog, "committedThrough">;
  readonly #recent: RecentFrames;
  #head: number;
  #confirmed = 0;

  constructor(log: Pick<DirectoryLog, "committedThrough">, recentBytesMax: number) {
    this.#log = log;
    this.#recent = new RecentFrames(recentBytesMax);
    this.#head = log.committedThrough;
  }

  /** The sequence of the last entry that has come. */
  get head(): number {
    return this.#head;
  }

  /**
   * Through where the cursors of nodes may go: what has come, and what the writer knows to be durable. The stream may have shown more, of which the
   * writer has not heard yet; to it, a node with such a cursor would have more than the log.
   */
  get committedThrough(): number {
    return Math.min(this.#head, this.#confirmed);
  }

  /** The writer knows the log to be durable through there. */
  confirm(through: number): void {
    this.#confirmed = Math.max(this.#confirmed, through);
  }

  get recentBytes(): number {
    return this.#recent.bytes;
  }

  /** The recent frame that starts at `after`, if memory still has it. */
  recentAt(after: number): OrderedFrame | undefined {
    return this.#recent.startingAt(after);
  }

  /** Takes the next frame. Returns it as it goes out to nodes; undefined for one without entries, which only brings marks. */
  take(frame: LogFrame, nowMs: number): OrderedFrame | undefined {
    const { after, through, incarnation, position, block } = frame;
    if (through <= this.#head) return undefined;
    this.#head = through;
    const header = {
      ...frame,
      kind: FRAME_KIND.entries,
      reportApplied: false,
      incomplete: false,
      committedThrough: this.committedThrough,
      sentAtMs: nowMs,
    };
    const bytes = assembleFrame(header, block);
    if (frame.incomplete === true) hidePosition(bytes);
    const ordered = { after, through, incarnation, position, bytes };
    this.#recent.push(ordered);
    this.#recent.trim(this.#log.committedThrough);
    return ordered;
  }
}
