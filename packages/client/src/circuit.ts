/**
 * A circuit breaker: whether requests to one node are worth sending.
 *
 *   closed     requests go. One without an answer opens the circuit, as does the node's word that it is not ready
 *              or about to stop, and the third answer in a row that the node failed (a status of 500 or more).
 *   open       requests go to other nodes at once. Checks in the background find out when the node is ready again.
 *   half-open  it says that it is ready: one request at a time is tried. Its success closes the circuit, its
 *              failure opens it again.
 *
 * What was sent before the circuit opened has no say in it afterwards: ten requests that hang together are one
 * failure, and an answer from before it says nothing of now.
 */

/** The states of a circuit. */
export type CircuitState = "closed" | "open" | "half-open";

/** How many answers in a row may tell of a failure inside the node before its circuit opens. */
export const FAILURES_MAX = 3;

/** A request that was sent through a circuit. */
export interface Attempt {
  readonly trial: boolean;
  /** How often the circuit had opened before. */
  readonly openings: number;
}

/** The circuit of one node. Invariant: a trial is under way only while half-open. */
export class Circuit {
  readonly #changed: (state: CircuitState) => void;
  #state: CircuitState = "closed";
  #failures = 0;
  #openings = 0;
  #trial = false;

  /** `changed` is told of each new state. */
  constructor(changed: (state: CircuitState) => void = () => {}) {
    this.#changed = changed;
  }

  get state(): CircuitState {
    return this.#state;
  }

  /** Whether a request may be sent as things stand. */
  get admits(): boolean {
    return this.#state === "closed" || (this.#state === "half-open" && !this.#trial);
  }

  /** A request is sent, admitted or not: with every circuit open, one is tried all the same. */
  begin(): Attempt {
    const trial = this.#state === "half-open";
    if (trial) this.#trial = true;
    return { trial, openings: this.#openings };
  }

  /** The request was answered. Returns whether that closed the circuit. */
  succeeded(attempt: Attempt): boolean {
    if (this.#isPast(attempt)) return false;
    const closes = this.#state !== "closed";
    this.#failures = 0;
    this.#trial = false;
    this.#become("closed");
    return closes;
  }

  /**
   * The request failed: `decided` says that one such failure is enough. Returns whether that opened the circuit.
   */
  failed(attempt: Attempt, decided: boolean): boolean {
    if (this.#isPast(attempt) || this.#state === "open") return false;
    this.#failures += 1;
    if (!decided && !attempt.trial && this.#failures < FAILURES_MAX) return false;
    this.open();
    return true;
  }

  /** The request ended without saying anything of the node. */
  released(attempt: Attempt): void {
    if (attempt.trial && !this.#isPast(attempt)) this.#trial = false;
  }

  /** Opens the circuit, whatever it was. */
  open(): void {
    this.#failures = 0;
    this.#openings += 1;
    this.#trial = false;
    this.#become("open");
  }

  /** The node says that it is ready: an open circuit lets one request at a time through. */
  halfOpen(): void {
    if (this.#state === "open") this.#become("half-open");
  }

  #become(state: CircuitState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#changed(state);
  }

  #isPast(attempt: Attempt): boolean {
    return attempt.openings !== this.#openings;
  }
}
