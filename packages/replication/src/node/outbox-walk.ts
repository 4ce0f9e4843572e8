import { asMeridianError, type MeridianError, type OutboxFrame } from "@meridian/protocol";

import { FRAME_COST, TurnWork } from "../turn-work.ts";
import type { NodeContext } from "./node-context.ts";
import { outboxFrames } from "./outbox-frames.ts";

/** A walk that is under way. */
interface Walk {
  readonly frames: Iterator<OutboxFrame>;
  readonly see: (frame: OutboxFrame) => boolean;
  readonly done: () => void;
}

/** Walks over an outbox, which may hold all that a node has written in weeks, in turns of the event loop. One walk at a time. */
export class OutboxWalk {
  readonly #context: NodeContext;
  readonly #work: TurnWork;
  #walk: Walk | undefined;

  /** `onFailure` hears what is thrown in a later turn than that of `begin`. */
  constructor(context: NodeContext, onFailure: (failure: MeridianError) => void) {
    this.#context = context;
    const goOn = (): void => {
      try {
        this.#goOn();
      } catch (failure) {
        this.stop();
        onFailure(asMeridianError(failure));
      }
    };
    this.#work = new TurnWork((callback) => context.turns.later(callback), goOn);
  }

  /**
   * Hands the frames after a position to `see`, oldest first, until it returns false or there are none, and then calls `done`: in this turn, if
   * there is no more to do than may be done in one.
   */
  begin(after: number, see: (frame: OutboxFrame) => boolean, done: () => void): void {
    this.#walk = { frames: outboxFrames(this.#context.store, after), see, done };
    this.#goOn();
  }

  /** Ends the walk that is under way; its `done` is not called. */
  stop(): void {
    this.#walk = undefined;
  }

  #goOn(): void {
    const walk = this.#walk;
    if (walk === undefined) return;
    while (this.#work.mayGoOn()) {
      const { done, value: frame } = walk.frames.next();
      if (done === true || !walk.see(frame)) {
        this.#walk = undefined;
        return walk.done();
      }
      this.#work.spend(FRAME_COST + frame.count, frame.block.byteLength);
    }
  }
}
