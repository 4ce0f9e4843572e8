/**
 * A circuit breaker: it decides whether requests are sent to a node.
 *
 *   closed     requests are sent. The circuit opens after one request without an answer, after an answer that the node is not ready
 *              or about to stop, and after three answers in a row with a status of 500 or more.
 *   open       requests go to other nodes at once. Checks in the background find out when the node is ready again.
 *   half-open  the node says that it is ready: one request at a time is sent. Its success closes the circuit, its
 *              failure opens it again.
 *
 * The outcome of a request that was sent before the circuit last opened does not count: ten requests that hang together are one
 * failure, and an earlier answer does not show the present state of the node.
 */

/** The states of a circuit. */
export type CircuitState = "closed" | "open" | "half-open";

/** After so many answers in a row with a status of 500 or more the circuit opens. */
export const FAILURES_MAX = 3;

/** A request that was sent through a circuit. */
export interface Attempt {
  readonly trial: boolean;
  /** How often the circuit had opened when the request was sent. */
  readonly openings: number;
}

/** The circuit of one node. Invariant: a trial is under way only while half-open. */
export class Circuit {
  readonly #changed: (state: CircuitState) => void;
  #state: CircuitState = "closed";
  #failures = 0;
  #openings = 0;
  #trial = false;

  /** `changed` is called with each new state. */
  constructor(changed: (state: CircuitState) => void = () => {}) {
    this.#changed = changed;
  }

  get state(): CircuitState {
    return this.#state;
  }

  /** Whether a request may be sent now. */
  get admits(): boolean {
    return this.#state === "closed" || (this.#state === "half-open" && !this.#trial);
  }

  /** Notes that a request is sent. It may be sent without `admits`: if every circuit is open, one node is tried all the same. */
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

  /** The request ended without showing whether the node works. */
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
