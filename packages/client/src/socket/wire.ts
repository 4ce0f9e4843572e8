/** A WebSocket as the client uses one: whole binary messages, both ways. */
export interface Wire {
  /** Sends a message. Those of one turn of the event loop leave together. */
  send(message: Uint8Array): void;
  /** Closes the connection, once what was sent has left. */
  close(): void;
  /** Whether the connection keeps the process alive. Platforms other than Node.js do not ask. */
  hold(isHeld: boolean): void;
}

/** What a connection tells. */
export interface WireEvents {
  readonly opened: () => void;
  readonly message: (message: Uint8Array) => void;
  /** A part of a message has come. */
  readonly progress: () => void;
  /** The connection has ended, or was never open. Called once, and last. */
  readonly closed: (end: WireEnd) => void;
}

/** How a connection ended. */
export interface WireEnd {
  /** The code of the server's close message; undefined where it has sent none. */
  readonly code: number | undefined;
  /** The server has no WebSocket here, or not this one, or the platform opens none: it is not worth another try soon. */
  readonly isRefused: boolean;
  readonly reason: string;
}

/** Begins to connect. */
export type Dial = (url: string, protocol: string, events: WireEvents) => Wire;
