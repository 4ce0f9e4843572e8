/**
 * Feeds one node everything after its cursor, in order.
 *
 * While the node keeps up, each new frame goes straight to it. Once more bytes wait on its link than the bound
 * allows, the feed stops sending and remembers only where it stands; when the link has drained, it reads on
 * from memory or from the log. So a slow node costs the directory no memory and the other nodes no time.
 *
 * Of its own frames a node needs to know only that they are in the log. It is told so together with the next thing that it is told, nearly always
 * that they are committed: several frames in a row are one message then, and none of them wakes the node up. Only a node that has taken stamps
 * back gets its own frames as the others do: a log may have them under those stamps.
 */
import type { DirectoryLog, Link } from "@meridian/ports";
import {
  assembleFrame,
  closeCodeOf,
  FRAME_BYTES_TARGET,
  FRAME_KIND,
  NO_BYTES,
  withoutTraces,
  type LogFrame,
} from "@meridian/protocol";

import type { OrderedFrame } from "../order/recent-frames.ts";
import type { Sequencer } from "../order/sequencer.ts";
import type { Rules } from "../rules.ts";
import { FRAME_COST, TurnWork } from "../turn-work.ts";

/** What a session needs of the feed of its node. */
export interface NodeFeed {
  /** Everything through this sequence has been sent. */
  readonly sentThrough: number;
  /** Sends a frame that has just been ordered, if it is the next one. */
  push(frame: OrderedFrame): void;
  /** Sends what the node still lacks, as much as it has room for. */
  pump(): void;
  /** Something else is about to be sent to the node: what it has not been told of its own frames goes before that. */
  tell(): void;
}

/** The link that a feed sends on, and where it starts. */
export interface FeedOptions {
  readonly link: Link;
  readonly log: DirectoryLog;
  readonly sequencer: Pick<Sequencer, "head" | "committedThrough" | "recentAt">;
  /** The node's own incarnation: frames of it are sent without their entries, so that the node's place in the log still moves. 0: all are sent with them. */
  readonly incarnation: number;
  /** Whether the peer is told of its own frames only when it is told something else. Whoever uses this calls `tell` before. */
  readonly tellsLater: boolean;
  /** The last sequence that the node has. */
  readonly after: number;
  readonly linkBytesMax: () => number;
  /** Whether the peer takes the traces of writes. */
  readonly takesTraces: boolean;
  readonly rules: Rules;
  nowMs(): number;
  /** Runs `callback` once other work has had its turn, unless the link is gone then. What it throws ends the link. */
  later(callback: () => void): void;
}

/** Frames of one outbox that follow one another in the log. */
type OwnFrames = Pick<OrderedFrame, "after" | "through" | "incarnation" | "position">;

/** Sends one peer the log after its cursor, in order, at the pace at which its link drains. */
export class Feed implements NodeFeed {
  readonly #options: FeedOptions;
  readonly #work: TurnWork;
  /** Everything through this sequence has been sent, or is in `#untold`. Invariant: ≤ the sequencer's head. */
  #sentThrough: number;
  /** The last frames of the node itself, as one. Invariant: it ends at `#sentThrough`. */
  #untold: OwnFrames | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#sentThrough = options.after;
    this.#work = new TurnWork(
      (callback) => options.later(callback),
      () => this.pump(),
    );
  }

  get sentThrough(): number {
    return this.#sentThrough;
  }

  /** Sends a frame that has just been ordered, if the node has everything before it and its link has room. */
  push(frame: OrderedFrame): void {
    if (frame.after === this.#sentThrough && this.#hasRoom()) this.#sendOrdered(frame);
  }

  /** Sends what the node still lacks, until its link is full or the turn is over. */
  pump(): void {
    this.#pumpOn();
    this.tell();
  }

  /** Tells the node of its own frames. */
  tell(): void {
    if (this.#untold === undefined) return;
    const { after, through, incarnation, position } = this.#untold;
    this.#untold = undefined;
    const block = NO_BYTES;
    this.#send({ after, through, incarnation, position, count: 0, highestTime: 0, block });
  }

  #pumpOn(): void {
    const { sequencer, log } = this.#options;
    while (this.#sentThrough < sequencer.head && this.#hasRoom() && this.#work.mayGoOn()) {
      const recent = sequencer.recentAt(this.#sentThrough);
      if (recent !== undefined) {
        this.#work.spend(FRAME_COST, recent.bytes.byteLength);
        this.#sendOrdered(recent);
        continue;
      }
      const frames = log.read(this.#sentThrough, FRAME_BYTES_TARGET);
      if (this.#sentThrough < log.purgedThrough) return this.#end();
      if (frames.length === 0) return;
      for (const frame of frames) {
        this.#work.spend(FRAME_COST + frame.count, frame.block.byteLength);
        this.#sendLogged(frame);
      }
    }
  }

  /** The node has fallen so far behind that it would miss tombstones: it is to come back and reconcile. */
  #end(): void {
    const said = `Expected a node to be at sequence ${this.#options.log.purgedThrough}, got one at ${this.#sentThrough}`;
    this.#options.link.close(closeCodeOf("OUT_OF_ORDER"), said);
  }

  #hasRoom(): boolean {
    return this.#options.link.bufferedBytes < this.#options.linkBytesMax();
  }

  #sendOrdered(frame: OrderedFrame): void {
    const { rules } = this.#options;
    if (this.#isOwn(frame) && rules.ownFramesAreLeftOut) {
      this.#pass(frame);
    } else {
      this.tell();
      this.#options.link.send(this.#options.takesTraces ? frame.bytes : withoutTraces(frame.bytes));
      this.#sentThrough = frame.through;
    }
  }

  /** Whether the frame is one that the node need not get. A compacted one has the incarnation 0, too, and is nobody's. */
  #isOwn(frame: Pick<OwnFrames, "incarnation">): boolean {
    const { incarnation } = this.#options;
    return incarnation !== 0 && frame.incarnation === incarnation;
  }

  /** Passes over a frame of the node itself. */
  #pass({ after, through, incarnation, position }: OwnFrames): void {
    this.#untold = { after: this.#untold?.after ?? after, through, incarnation, position };
    this.#sentThrough = through;
    if (!this.#options.tellsLater) this.tell();
  }

  #sendLogged(frame: LogFrame): void {
    const { incarnation } = frame;
    if (this.#isOwn(frame)) this.#pass(frame);
    else {
      this.tell();
      // A compacted run omits only entries that a later entry of the log has overwritten.
      this.#send(incarnation === 0 ? { ...frame, position: this.#options.sequencer.head } : frame);
    }
  }

  #send({ after, through, count, highestTime, incarnation, position, block }: LogFrame): void {
    const { link, sequencer } = this.#options;
    const header = {
      kind: FRAME_KIND.entries,
      reportApplied: false,
      incomplete: false,
      count,
      after,
      through,
      committedThrough: sequencer.committedThrough,
      highestTime,
      sentAtMs: this.#options.nowMs(),
      incarnation,
      position,
    };
    link.send(assembleFrame(header, block));
    this.#sentThrough = through;
  }
}
