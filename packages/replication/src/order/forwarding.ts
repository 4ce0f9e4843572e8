import { Fifo } from "@meridian/runtime";

import { FRAME_COST, TurnWork } from "../turn-work.ts";
import type { OrderedFrame } from "./recent-frames.ts";
import { SequenceWaits } from "./sequence-waits.ts";

/** What a directory's forwarding works with. */
export interface ForwardingOptions {
  /** The last sequence of the log. */
  readonly head: number;
  /** The bound of stamps that is durably admitted. */
  admittedTime(): number;
  /** Sends a frame out. */
  forward(frame: OrderedFrame): void;
  /** Runs `callback` once other work has had its turn. */
  later(callback: () => void): void;
}

interface Held {
  readonly frame: OrderedFrame;
  readonly highestTime: number;
  /** Whether what the frame waits for, beside its stamps, is there. */
  readonly mayGo: () => boolean;
}

const AT_ONCE = (): boolean => true;

/**
 * Sends frames out in their order, at once if their stamps are sure to be admitted after a restart, and no frame before them waits. What has
 * waited goes out in several turns if it is much, and counts as committed only behind that.
 */
export class Forwarding {
  readonly #options: ForwardingOptions;
  readonly #work: TurnWork;
  readonly #held = new Fifo<Held>();
  readonly #behind = new SequenceWaits();
  #head: number;

  constructor(options: ForwardingOptions) {
    this.#options = options;
    this.#head = options.head;
    this.#work = new TurnWork(
      (callback) => options.later(callback),
      () => this.proceed(),
    );
  }

  /** The sequence of the last entry that has gone out. */
  get head(): number {
    return this.#head;
  }

  /** Sends the frame once `mayGo`, too. When that changes, `proceed` is to be called. */
  push(frame: OrderedFrame, highestTime: number, mayGo: () => boolean = AT_ONCE): void {
    const isFirst = this.#held.length === 0;
    if (isFirst && highestTime <= this.#options.admittedTime() && mayGo()) this.#send(frame);
    else this.#held.push({ frame, highestTime, mayGo });
  }

  /** The frames that have not gone out, in their order. */
  *waiting(): Generator<OrderedFrame> {
    for (let index = 0; ; index += 1) {
      const held = this.#held.at(index);
      if (held === undefined) return;
      yield held.frame;
    }
  }

  /** Calls `run` as soon as everything through `through` has gone out. */
  after(through: number, run: () => void): void {
    if (through <= this.#head) run();
    else this.#behind.add(through, run);
  }

  /** The bound of admitted stamps has moved, or what a frame waits for is there: sends what need not wait any longer, as much as a turn may. */
  proceed(): void {
    while (this.#work.mayGoOn()) {
      const next = this.#held.at(0);
      if (next === undefined || next.highestTime > this.#options.admittedTime()) return;
      if (!next.mayGo()) return;
      this.#held.shift();
      this.#work.spend(FRAME_COST, next.frame.bytes.byteLength);
      this.#send(next.frame);
    }
  }

  #send(frame: OrderedFrame): void {
    this.#head = frame.through;
    this.#options.forward(frame);
    this.#behind.reach(this.#head);
  }
}
