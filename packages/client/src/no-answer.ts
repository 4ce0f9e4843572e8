/** How long an exchange may last. */
export interface Patience {
  /** The exchange fails after so long without a byte from the server, in milliseconds. Time during which this process was too busy does not count. */
  readonly quietMs: number;
  /** The instant at which the exchange ends in any case, on the clock's `elapsedMs`. */
  readonly endMs: number;
  /** Ends it early; `exchange` then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Why there is no answer. `refused`: no connection. `broken`: the connection broke. `silent`: no byte within the time that a
 * server has. `cut-short`: the caller's deadline came before that, which shows little about the server.
 */
export type Silence = "refused" | "broken" | "silent" | "cut-short";

/** The server gave no answer, or not the whole of one. */
export class NoAnswer extends Error {
  readonly kind: Silence;
  /** Whether the server may have received the whole request and done what it asks. */
  readonly mayHaveArrived: boolean;

  constructor(message: string, kind: Silence, mayHaveArrived: boolean, cause?: unknown) {
    super(message, { cause });
    this.name = "NoAnswer";
    this.kind = kind;
    this.mayHaveArrived = mayHaveArrived;
  }
}

/** The node has ended the connection in good order. The request may go over HTTP. */
export class LetGo extends Error {
  /** Whether the node may have done what the request asks. */
  readonly mayHaveArrived: boolean;

  constructor(message: string, mayHaveArrived: boolean) {
    super(message);
    this.name = "LetGo";
    this.mayHaveArrived = mayHaveArrived;
  }
}
