import type { Network } from "./exchange.ts";
import { followAbort } from "./follow-abort.ts";
import { NoAnswer, type Patience } from "./no-answer.ts";

/** If a deadline fires later than this, in milliseconds, answers that came meanwhile get one turn to be read first. */
const LATE_MS = 20;

/** Differences of times are this inexact, in milliseconds. */
const INEXACT_MS = 1e-6;

/** When something came last over a connection, for all that wait for answers over it. */
export class Heard {
  readonly #network: Pick<Network, "clock" | "ownLag">;
  atMs: number = 0;
  /** The time that this process had lost by then, in milliseconds. */
  lostMs: number = 0;

  constructor(network: Pick<Network, "clock" | "ownLag">) {
    this.#network = network;
    this.now();
  }

  /** Something has come. */
  now(): void {
    this.atMs = this.#network.clock.elapsedMs();
    this.lostMs = this.#network.ownLag.lostMs;
  }
}

/** Ends the wait for an answer when the server has been silent for too long, at `endMs`, or when the signal aborts. */
export class AnswerWatch {
  readonly #network: Pick<Network, "clock" | "deadlines" | "ownLag">;
  readonly #patience: Patience;
  readonly #end: (reason: unknown) => void;
  readonly #unfollow: () => void;
  readonly #heard: Heard;
  readonly #begunAtMs: number;
  readonly #lostBeforeMs: number;
  #dueMs = 0;
  #hadLastTurn = false;
  #cancel: () => void = () => {};

  /** Calls `end` at most once, with a `NoAnswer` or the signal's reason. Without `heard`, nothing but its own answer counts. */
  constructor(
    network: Pick<Network, "clock" | "deadlines" | "ownLag">,
    patience: Patience,
    end: (reason: unknown) => void,
    heard?: Heard,
  ) {
    this.#network = network;
    this.#patience = patience;
    this.#end = end;
    network.ownLag.watch();
    this.#begunAtMs = network.clock.elapsedMs();
    this.#lostBeforeMs = network.ownLag.lostMs;
    this.#heard = heard ?? new Heard(network);
    this.#unfollow = followAbort(patience.signal, () => end(patience.signal?.reason));
    this.#arm();
  }

  /** Something has come from the server. */
  progress(): void {
    this.#heard.now();
  }

  stop(): void {
    this.#cancel();
    this.#unfollow();
    this.#network.ownLag.unwatch();
  }

  /** When something came last, or the wait began. */
  get #lastMs(): number {
    return Math.max(this.#begunAtMs, this.#heard.atMs);
  }

  /** How long the server has been silent while this process could have heard it. */
  get #silentMs(): number {
    const { clock, ownLag } = this.#network;
    const { atMs, lostMs } = this.#heard;
    const lostBeforeMs = atMs > this.#begunAtMs ? lostMs : this.#lostBeforeMs;
    return Math.max(0, clock.elapsedMs() - this.#lastMs - (ownLag.lostMs - lostBeforeMs));
  }

  #arm(): void {
    const nowMs = this.#network.clock.elapsedMs();
    const { quietMs, endMs } = this.#patience;
    const leftMs = Math.max(0, Math.min(quietMs - this.#silentMs, endMs - nowMs));
    this.#dueMs = nowMs + leftMs;
    this.#cancel = this.#network.deadlines.after(leftMs, () => this.#onDeadline());
  }

  #onDeadline(): void {
    const nowMs = this.#network.clock.elapsedMs();
    const { quietMs, endMs } = this.#patience;
    const silentMs = this.#silentMs + INEXACT_MS;
    if (silentMs < quietMs && nowMs + INEXACT_MS < endMs) {
      this.#arm();
      return;
    }
    if (nowMs - this.#dueMs > LATE_MS && !this.#hadLastTurn) {
      // Bytes that came while this process was busy are read before the next timer runs.
      this.#hadLastTurn = true;
      this.#cancel = this.#network.deadlines.after(1, () => this.#onDeadline());
      return;
    }
    const kind = silentMs < quietMs ? "cut-short" : "silent";
    const waitedMs = Math.round(nowMs - this.#lastMs);
    this.#end(new NoAnswer(`no answer within ${waitedMs} ms`, kind, true));
  }
}
