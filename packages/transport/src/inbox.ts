/** A message that has arrived whole. */
export interface Arrived {
  readonly bytes: Buffer;
  readonly isBinary: boolean;
}

/** Messages that wait to be handed on, first in, first out. */
export class Inbox {
  #messages: (Arrived | undefined)[] = [];
  #at = 0;
  #bytes = 0;

  /** The bytes of all waiting messages. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#at === this.#messages.length;
  }

  add(message: Arrived): void {
    this.#messages.push(message);
    this.#bytes += message.bytes.byteLength;
  }

  /** Takes the oldest out; undefined if there is none. */
  take(): Arrived | undefined {
    const message = this.#messages[this.#at];
    if (message === undefined) return undefined;
    this.#messages[this.#at] = undefined;
    this.#bytes -= message.bytes.byteLength;
    this.#at += 1;
    if (this.isEmpty) this.clear();
    return message;
  }

  clear(): void {
    this.#messages = [];
    this.#at = 0;
    this.#bytes = 0;
  }
}
