import type { DirectoryLog } from "@meridian/ports";
import {
  blockOf,
  decodeBlock,
  readFrameHeader,
  replaces,
  type Entry,
  type Stamp,
} from "@meridian/protocol";

import type { OrderedFrame } from "../order/recent-frames.ts";

/** Once the kept frames have this many bytes, they are decoded even if nothing needs it. */
const FRAME_BYTES_MAX = 4 * 1024 * 1024;

/** The newest stamps of some keys; all of them are in the log at or before `through`. */
interface Remembered {
  readonly stamps: ReadonlyMap<string, Stamp>;
  readonly through: number;
}

/**
 * Finds the entries of other directories that are newer than what this log has. An entry is taken at most once, so none circulates among directories
 * that follow each other.
 *
 * What the log's table may not know yet is remembered here by its stamp. Frames of nodes are kept as they are, and
 * looked into only when something comes from another directory: a directory that has all the nodes hardly pays.
 */
export class FollowedEntries {
  readonly #log: Pick<DirectoryLog, "peek" | "settle" | "committedThrough">;
  readonly #entriesMax: number;
  #stamps = new Map<string, Stamp>();
  #frames: OrderedFrame[] = [];
  #frameBytes = 0;
  #entries = 0;
  #through = 0;
  /** Stamps that can be forgotten as soon as the log has settled. */
  #settling: Remembered | undefined;
  #hasAsked = false;

  /** Once `entriesMax` entries are remembered, the log is asked to settle. */
  constructor(log: Pick<DirectoryLog, "peek" | "settle" | "committedThrough">, entriesMax: number) {
    this.#log = log;
    this.#entriesMax = entriesMax;
  }

  /** A frame has been ordered, of a node or of another directory. */
  onOrdered(frame: OrderedFrame): void {
    this.#through = frame.through;
    if (frame.position === 0) return;
    this.#frames.push(frame);
    this.#frameBytes += frame.bytes.byteLength;
    if (this.#frameBytes >= FRAME_BYTES_MAX) this.takeNews([]);
    this.#entries += frame.through - frame.after;
    if (this.#entries >= this.#entriesMax) this.#rotate();
  }

  /** Returns the entries that are newer than what the log has of their keys. The caller has to order them in the same turn. */
  takeNews(entries: readonly Entry[]): Entry[] {
    for (const { bytes } of this.#frames.splice(0)) {
      for (const entry of decodeBlock(blockOf(bytes), readFrameHeader(bytes).count))
        this.#take(entry);
    }
    this.#frameBytes = 0;
    const news = entries.filter((entry) => this.#isNews(entry) && this.#take(entry));
    this.#entries += news.length;
    return news;
  }

  /** A frame is durable. Now and then, forgets the stamps that the log's table has by now. */
  onDurable(): void {
    if (this.#entries >= this.#entriesMax) this.#rotate();
    const settling = this.#settling;
    if (settling === undefined || this.#hasAsked) return;
    if (this.#log.committedThrough < settling.through) return;
    this.#hasAsked = true;
    this.#log.settle((failure) => {
      // A log that cannot settle ends its directory.
      if (failure === undefined) this.#settling = undefined;
      this.#hasAsked = false;
    });
  }

  /**
   * Forgets what the log knows by itself by now. To be called so often that nothing is remembered here that the log has
   * purged: what is not in the log then has not come to its table yet, and will.
   */
  forget(): void {
    this.#rotate();
    this.onDurable();
  }

  #isNews(entry: Entry): boolean {
    const { key } = entry;
    const known = this.#stamps.get(key) ?? this.#settling?.stamps.get(key);
    if (known !== undefined && !replaces(entry, { key, stamp: known })) return false;
    return replaces(entry, this.#log.peek(key));
  }

  #take(entry: Entry): boolean {
    const { key, stamp } = entry;
    const known = this.#stamps.get(key);
    const isNewer = replaces(entry, known && { key, stamp: known });
    if (isNewer) this.#stamps.set(key, stamp);
    return isNewer;
  }

  #rotate(): void {
    if (this.#settling !== undefined) return;
    this.takeNews([]);
    if (this.#stamps.size === 0) return;
    this.#settling = { stamps: this.#stamps, through: this.#through };
    this.#stamps = new Map();
    this.#entries = 0;
  }
}
