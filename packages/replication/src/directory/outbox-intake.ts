/** Takes in a node's outbox on one link: orders each frame once, or refuses it, and answers what the node asks about its frames. */
import {
  blockOf,
  checkBlock,
  FRAME_KIND,
  INCOMPLETE_OUTBOX,
  MeridianError,
  readFrameHeader,
  type DirectoryMessage,
  type FrameHeader,
  type Hello,
} from "@meridian/protocol";

import { AppliedWatch, type ApplyingNode } from "./applied-watch.ts";
import type { SessionHost } from "./session-host.ts";
import { StampRefusal } from "./stamp-refusal.ts";

/** What the intake needs of its session. */
export interface OutboxIntakeOptions {
  readonly host: SessionHost;
  send(message: DirectoryMessage): void;
  /** How the node introduced itself; undefined until it has. */
  hello(): Hello | undefined;
  /** Whether a feature was agreed on with it. */
  has(feature: string): boolean;
  /** Tells the directory that the node waits to hear who has applied a frame. */
  watched(): void;
  /** So many bytes more are to wait for the disk, and they are too many. Throws `OVERLOADED` unless another node makes room. */
  crowded(bytes: number): void;
}

/** Takes in the frames of one node. */
export class OutboxIntake {
  readonly #options: OutboxIntakeOptions;
  /** The frame that was refused for its stamps. */
  readonly #refusal: StampRefusal;
  readonly #watch: AppliedWatch;
  /** Of the frames that came although the log has them. */
  #knownBytes = 0;

  constructor(options: OutboxIntakeOptions) {
    const { host } = options;
    this.#options = options;
    this.#refusal = new StampRefusal(host, (message) => options.send(message));
    this.#watch = new AppliedWatch(host.limits.watchedMax, (position, nodes, ready) => {
      options.send({ type: "applied-by", nowMs: host.clock.nowMs(), position, nodes, ready });
    });
  }

  /** Bytes of the node's frames that wait for the disk. */
  get pendingBytes(): number {
    return this.#options.host.sequencer.pendingOf(this.#options.hello()?.incarnation ?? 0);
  }

  /** Frames of which the node waits to hear who has applied them. */
  get watchedFrames(): number {
    return this.#watch.size;
  }

  /** Whether the node waits to hear who has applied a frame of its. */
  get isWatching(): boolean {
    return this.#watch.isWatching;
  }

  /** Tells the node what is newly known of the frames it waits for. */
  updateWatch(appliers: readonly ApplyingNode[], readyElsewhere: readonly string[]): void {
    this.#watch.update(appliers, readyElsewhere);
  }

  /** Tells the node that its stamps are refused, if that waited for the clocks to agree, and need wait no longer. */
  decideRefusal(): void {
    this.#refusal.decide();
  }

  /** The node has just been told what the clocks say. */
  onClocksTold(): void {
    this.#refusal.onTold();
  }

  /** Tells the node that its outbox is committed through `position`. */
  acknowledge(position: number): void {
    const { sequencer, clock } = this.#options.host;
    const { committedThrough } = sequencer;
    const said = { outboxThrough: position, committedThrough };
    this.#options.send({ type: "acknowledge", nowMs: clock.nowMs(), ...said });
  }

  /** A frame has come. Throws what is wrong with it. */
  onFrame(bytes: Uint8Array): void {
    const header = readFrameHeader(bytes);
    this.#check(header);
    if (this.#refusal.passesOver(header.position)) return;
    const { sequencer, horizon, limits, clock } = this.#options.host;
    // This check comes before that of the stamps: after a refusal, the node relies on the frames before the refused one.
    if (!sequencer.isNext(header)) return this.#onDuplicate(header, bytes.byteLength);
    if (this.#refusal.refuses(header)) return;
    const facts = checkBlock(blockOf(bytes), header.count, header.highestTime);
    const { byteLength } = bytes;
    this.#checkBytes("wait for the disk", this.pendingBytes + byteLength);
    if (sequencer.pendingBytes + byteLength > limits.commitBytesMax) {
      this.#options.crowded(byteLength);
    }
    sequencer.order(bytes, header, facts, horizon.horizon, clock.nowMs());
    if (header.reportApplied) this.#watchFrame(sequencer.ordered, header.position);
  }

  /** The node asks where a position of an outbox stands in the log. */
  onLocate(incarnation: number, position: number): void {
    const { sequencer, peers, clock } = this.#options.host;
    const mark = sequencer.mark(incarnation);
    const isKnown = mark !== undefined && mark.position >= position && mark.sequence > 0;
    let sequence = isKnown ? mark.sequence : null;
    // Its exact place in this log is not known, but it is not after what is ordered.
    if (sequence === null && peers.has(incarnation, position)) sequence = sequencer.ordered;
    const nowMs = clock.nowMs();
    this.#options.send({ type: "located", nowMs, incarnation, position, sequence });
  }

  /** Throws `MALFORMED_MESSAGE` for a frame that is none of the node's outbox, whatever stands in it. */
  #check({ kind, count, incomplete, incarnation, position }: FrameHeader): void {
    const hello = this.#options.hello();
    if (hello === undefined || kind !== FRAME_KIND.entries || count === 0) {
      throw new MeridianError("MALFORMED_MESSAGE", "Expected a frame of entries after `hello`");
    }
    if (incomplete && !this.#options.has(INCOMPLETE_OUTBOX)) {
      throw new MeridianError(
        "MALFORMED_MESSAGE",
        "Expected flags that were agreed on, got others",
      );
    }
    if (incarnation !== hello.incarnation || position === 0) {
      throw new MeridianError("MALFORMED_MESSAGE", "Expected a frame of the node's own outbox");
    }
  }

  /**
   * Throws `OVERLOADED` for more than a node ever has in flight: it keeps to a window of what it has not heard of, and sends no
   * frame twice on one link.
   */
  #checkBytes(which: string, bytes: number): void {
    const { nodeBytesMax } = this.#options.host.limits;
    if (bytes <= nodeBytesMax) return;
    const said = `Expected at most ${nodeBytesMax} bytes of a node's frames that ${which}, got ${bytes}`;
    throw new MeridianError("OVERLOADED", said);
  }

  #onDuplicate(header: FrameHeader, bytes: number): void {
    const { incarnation, position, highestTime, reportApplied } = header;
    this.#knownBytes += bytes;
    this.#checkBytes("the log has already", this.#knownBytes);
    const { sequencer } = this.#options.host;
    const mark = sequencer.mark(incarnation);
    if (mark === undefined) return;
    if (mark.position === position && mark.highestTime !== highestTime) {
      throw new MeridianError(
        "INCARNATION_REUSED",
        `Expected the frame that is known at position ${position}, got another`,
      );
    }
    if (reportApplied && mark.position >= position) {
      this.#watchFrame(mark.sequence || sequencer.ordered, position);
    }
    this.acknowledge(mark.position);
  }

  #watchFrame(through: number, position: number): void {
    this.#watch.add(through, position);
    this.#options.watched();
  }
}
