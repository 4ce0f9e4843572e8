import { Fifo } from "@meridian/runtime";

/** A message that has arrived whole. */
export interface Arrived {
  readonly bytes: Uint8Array;
  readonly isBinary: boolean;
}

/** The queue of messages that wait to be handed on. */
export class Inbox {
  readonly #messages = new Fifo<Arrived>();
  #bytes = 0;

  /** The bytes of all waiting messages. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  add(message: Arrived): void {
    this.#messages.push(message);
    this.#bytes += message.bytes.byteLength;
  }

  /** Takes the oldest out; undefined if there is none. */
  take(): Arrived | undefined {
    const message = this.#messages.shift();
    this.#bytes -= message?.bytes.byteLength ?? 0;
    return message;
  }

  clear(): void {
    this.#messages.takeAll();
    this.#bytes = 0;
  }
}
