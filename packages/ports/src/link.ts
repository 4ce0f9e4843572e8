/** A connection to one other party. Messages arrive whole, in order, at most once, until it closes. */
export interface Link {
  /** Sends a text message, or a binary frame, whose bytes must not change until they have left. Does nothing once closed. */
  send(message: string | Uint8Array): void;
  /** Bytes handed to `send` that have not left this process. */
  readonly bufferedBytes: number;
  /** Closes the link with a WebSocket close code. The `onClose` of its owner is still called. */
  close(code: number, reason: string): void;
}

/**
 * While a large message arrives, its receiver is told each time that so many bytes more have come. A connection that carries fewer than
 * that within a lease (with one of 1.5 s: less than 44 kB/s) is closed in the midst of such a message.
 */
export const PART_BYTES: number = 64 * 1024;

/** What the owner of a link hears from it. */
export interface LinkEvents {
  onOpen(): void;
  /** Text, or binary as a view on the bytes that arrived, without a copy. */
  onMessage(message: string | Uint8Array): void;
  /**
   * Called for every `PART_BYTES` that have come of a message that is not whole yet. A message that takes longer than a lease
   * holds up all that is behind it, such as signs of life; that its parts come is one.
   */
  onPart(): void;
  /** Called when `bufferedBytes` has fallen to a quarter of what it was bounded by. */
  onDrain(): void;
  /** Called once, last; `code` is the WebSocket close code, 1006 for a connection that broke or never was. */
  onClose(code: number, reason: string): void;
}

/**
 * Opens a link to a directory: to the one at that place in the order of preference, counted from 0. Failing to
 * connect is a link that closes without opening.
 */
export type Dial = (events: LinkEvents, directory: number) => Link;
