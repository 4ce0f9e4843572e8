import { Fifo } from "@meridian/runtime";

import { FRAME_COST, TurnWork } from "../turn-work.ts";
import type { OrderedFrame } from "./recent-frames.ts";

/** What a directory's forwarding works with. */
export interface ForwardingOptions {
  /** The last sequence of the log. */
  readonly head: number;
  /** The bound of stamps that is durably admitted. */
  admittedTime(): number;
  /** Sends a frame out. */
  forward(frame: OrderedFrame): void;
  /** Runs `callback` once other work has had its turn. */
  defer(callback: () => void): void;
}

/**
 * Sends frames out in their order, at once if their stamps are sure to be admitted after a restart, and no frame before them waits. What has
 * waited goes out in several turns if it is much, and counts as committed only behind that.
 */
export class Forwarding {
  readonly #options: ForwardingOptions;
  readonly #work: TurnWork;
  readonly #held = new Fifo<{ readonly frame: OrderedFrame; readonly highestTime: number }>();
  readonly #behind = new Fifo<{ readonly through: number; readonly run: () => void }>();
  #head: number;

  constructor(options: ForwardingOptions) {
    this.#options = options;
    this.#head = options.head;
    this.#work = new TurnWork(
      (callback) => options.defer(callback),
      () => this.proceed(),
    );
  }

  /** The sequence of the last entry that has gone out. */
  get head(): number {
    return this.#head;
  }

  push(frame: OrderedFrame, highestTime: number): void {
    const mayGo = highestTime <= this.#options.admittedTime();
    if (mayGo && this.#held.at(0) === undefined) this.#send(frame);
    else this.#held.push({ frame, highestTime });
  }

  /** Calls `run` as soon as everything through `through` has gone out. */
  after(through: number, run: () => void): void {
    if (through <= this.#head) run();
    else this.#behind.push({ through, run });
  }

  /** The bound of admitted stamps has moved: sends what need not wait any longer, as much as a turn may. */
  proceed(): void {
    while (this.#work.mayGoOn()) {
      const next = this.#held.at(0);
      if (next === undefined || next.highestTime > this.#options.admittedTime()) return;
      this.#held.shift();
      this.#work.spend(FRAME_COST, next.frame.bytes.byteLength);
      this.#send(next.frame);
    }
  }

  #send(frame: OrderedFrame): void {
    this.#head = frame.through;
    this.#options.forward(frame);
    for (let next = this.#behind.at(0); next !== undefined && next.through <= this.#head;) {
      this.#behind.shift();
      next.run();
      next = this.#behind.at(0);
    }
  }
}
