import type { Clock } from "@meridian/runtime";

import type { Rules } from "../rules.ts";

/** What a node waits for at the moment. */
export interface Expected {
  /** Frames wait to be acknowledged. */
  readonly outboxWaits: boolean;
  /** The directory has more than the node. */
  readonly logWaits: boolean;
  readonly reconciles: boolean;
  /** A reconciliation has not begun. */
  readonly waitsForTurn: boolean;
  /** Bytes that have not left this process. The directory cannot have answered them. */
  readonly bufferedBytes: number;
}

/** How much a link carries at least, in bytes a millisecond. */
const BYTES_PER_MS = 64;

/** How many times longer a node waits for its turn to reconcile than for an answer. */
const TURN_PATIENCE = 12;

/** Notices when the outbox, the log or a reconciliation does not move although it should, and measures how long the node has been behind. */
export class ProgressWatch {
  readonly #clock: Clock;
  readonly #stallMs: number;
  readonly #rules: Rules;
  /** When the outbox and the log last moved, or last had nothing to move. */
  #outboxMovedAtMs = 0;
  #logMovedAtMs = 0;
  #reconcileMovedAtMs = 0;
  #levelAtMs: number;

  constructor(clock: Clock, stallMs: number, rules: Rules) {
    this.#rules = rules;
    this.#clock = clock;
    this.#stallMs = stallMs;
    this.#levelAtMs = clock.elapsedMs();
  }

  /** A link has just come up, or it carries something that is in front of all that is waited for. */
  start(): void {
    const nowMs = this.#clock.elapsedMs();
    this.#outboxMovedAtMs = this.#logMovedAtMs = this.#reconcileMovedAtMs = nowMs;
  }

  outboxMoved(): void {
    this.#outboxMovedAtMs = this.#clock.elapsedMs();
  }

  logMoved(): void {
    this.#logMovedAtMs = this.#clock.elapsedMs();
  }

  reconcileMoved(): void {
    this.#reconcileMovedAtMs = this.#clock.elapsedMs();
  }

  /** Whether anything should have moved and has not, for longer than the bound. */
  isStalled(expected: Expected): boolean {
    const { outboxWaits, logWaits, reconciles, waitsForTurn, bufferedBytes } = expected;
    if (!this.#rules.stallsAreNoticed) return false;
    const nowMs = this.#clock.elapsedMs();
    if (!outboxWaits) this.#outboxMovedAtMs = nowMs;
    if (!logWaits || reconciles) this.#logMovedAtMs = nowMs;
    const restMs = nowMs - Math.min(this.#outboxMovedAtMs, this.#logMovedAtMs);
    const reconcileRestMs = reconciles ? nowMs - this.#reconcileMovedAtMs : 0;
    const leavingMs = bufferedBytes / BYTES_PER_MS;
    const patienceMs = this.#stallMs * (waitsForTurn ? TURN_PATIENCE : 1);
    return restMs > this.#stallMs + leavingMs || reconcileRestMs > patienceMs + leavingMs;
  }

  /** How long it has been since the node was level with the directory, in whole milliseconds. */
  lagMs(isLevel: boolean): number {
    const nowMs = this.#clock.elapsedMs();
    if (isLevel) this.#levelAtMs = nowMs;
    return Math.round(nowMs - this.#levelAtMs);
  }
}
