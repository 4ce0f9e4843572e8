/**
 * Finds the newest version of a key in the order: in the table of the log, and in the frames that the table does not have yet, those included that
 * are not durable. It looks only when it is asked, so a write that no condition is about costs nothing here.
 *
 * What was found is remembered for the keys that were asked for last, with the sequence through which was looked: the next search begins there,
 * unless the table has come further.
 */
import type { DirectoryLog } from "@meridian/ports";
import { blockOf, compareStamps, findInBlock, type EntryHead } from "@meridian/protocol";

import type { Rules } from "../rules.ts";
import type { OrderedFrame } from "./recent-frames.ts";

/** The keys that are remembered. */
const KEYS_MAX = 1_024;

/** Bytes of frames that one search may read from the log. Behind more, the log has to settle first. */
const READ_BYTES_MAX: number = 4 * 1024 * 1024;

/** The frames that a search looks through. */
export interface FrameSource {
  readonly ordered: number;
  readonly committedThrough: number;
  /** Memory has every frame after this sequence. */
  readonly keptFrom: number;
  framesAfter(sequence: number): Iterable<OrderedFrame>;
}

/** The newest version of a key; null if nothing is known of it. */
type Version = EntryHead | null;

interface Known {
  readonly version: Version;
  readonly through: number;
}

const encoder = new TextEncoder();

/** Knows the newest version of each key in the order. */
export class NewestVersions {
  readonly #log: Pick<DirectoryLog, "get" | "mergedThrough" | "read">;
  readonly #frames: FrameSource;
  readonly #rules: Rules;
  /** The one asked for last is the last. */
  readonly #known = new Map<string, Known>();

  constructor(
    log: Pick<DirectoryLog, "get" | "mergedThrough" | "read">,
    frames: FrameSource,
    rules: Rules,
  ) {
    this.#log = log;
    this.#frames = frames;
    this.#rules = rules;
  }

  /**
   * The newest version of `key`, tombstones and expired ones included; null if there is none, or only a purgeable one that is gone. Undefined if so
   * much is not merged that the log is to be settled before it is asked again.
   */
  of(key: string): Version | undefined {
    const known = this.#start(key);
    const bytes = encoder.encode(key);
    const found = this.#searchLog(known, bytes);
    if (found === undefined) return undefined;
    const { committedThrough, ordered } = this.#frames;
    const through = this.#rules.unstoredIsLookedAt ? ordered : committedThrough;
    let { version } = found;
    for (const frame of this.#frames.framesAfter(found.through)) {
      if (frame.through > through) break;
      // Frames that were ordered here have one sequence for each entry.
      const count = frame.through - frame.after;
      version = newestIn(blockOf(frame.bytes), count, bytes, version);
    }
    this.#remember(key, { version, through });
    return version;
  }

  /** What is remembered of the key, or what the table has if that is ahead: the log may no longer have the frames between. */
  #start(key: string): Known {
    const known = this.#known.get(key);
    // The table may have more than that already, and never less.
    const through = this.#log.mergedThrough;
    if (known !== undefined && known.through >= through) return known;
    const held = this.#log.get(key);
    if (held === undefined) return { version: null, through };
    const { stamp, expiresAtMs, deleted, attributes } = held;
    const head = { stamp, expiresAtMs, deleted };
    return { version: attributes === undefined ? head : { ...head, attributes }, through };
  }

  /** Looks through the frames that only the log has, and not its table. */
  #searchLog(from: Known, key: Uint8Array): Known | undefined {
    let { version, through } = from;
    const end = Math.min(this.#frames.keptFrom, this.#frames.committedThrough);
    for (let bytes = 0; through < end;) {
      if (bytes > READ_BYTES_MAX) return undefined;
      const frames = this.#log.read(through, READ_BYTES_MAX);
      if (frames.length === 0) return undefined;
      for (const { block, count, through: reached } of frames) {
        version = newestIn(block, count, key, version);
        bytes += block.byteLength;
        through = reached;
      }
    }
    return { version, through };
  }

  #remember(key: string, known: Known): void {
    this.#known.delete(key);
    this.#known.set(key, known);
    if (this.#known.size <= KEYS_MAX) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }
}

function newestIn(block: Uint8Array, count: number, key: Uint8Array, version: Version): Version {
  let newest = version;
  for (const found of findInBlock(block, count, key)) {
    if (newest === null || compareStamps(found.stamp, newest.stamp) > 0) newest = found;
  }
  return newest;
}
