/** Follows a stream as an ordered consumer of NATS does: one that has heard nothing, or not all, has itself made anew behind its last message. */
import type { FollowedMessages, StoredMessage } from "@meridian/log-jetstream/source/log-stream";
import { MeridianError } from "@meridian/protocol";

import type { ProcessClock } from "../world.ts";
import type { Pipe } from "./pipe.ts";
import type { Consumer, StoredStream } from "./stored-stream.ts";

/** How often a client looks whether its consumer is there. */
const HEARTBEAT_MS = 1_000;

/** How messages are followed. */
export interface FollowingOptions {
  readonly stream: StoredStream;
  readonly clock: ProcessClock;
  /** A new line from the servers. */
  readonly pipe: () => Pipe;
  /** Runs something at the servers. */
  readonly ask: (run: () => void) => void;
  readonly after: number;
  /** Whether the connection is there. */
  readonly isThere: () => boolean;
}

/** The messages behind a sequence, as they come. */
export class Following implements FollowedMessages {
  readonly #options: FollowingOptions;
  readonly #queue: StoredMessage[] = [];
  #last: number;
  #consumer: Consumer | undefined;
  /** How many messages were on their way to this consumer when it was last looked after, and how many have come since it was made. */
  #sent = 0;
  #received = 0;
  #failure: MeridianError | undefined;
  #isStopped = false;
  #wake: () => void = () => {};

  constructor(options: FollowingOptions) {
    this.#options = options;
    this.#last = options.after;
    this.#consume();
    this.#watch();
  }

  stop(): void {
    this.#isStopped = true;
    this.#drop();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<StoredMessage> {
    for (;;) {
      const next = this.#queue.shift();
      if (this.#isStopped) return;
      if (next !== undefined) yield next;
      else if (this.#failure !== undefined) throw this.#failure;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #consume(): void {
    const { stream, clock, pipe, ask } = this.#options;
    this.#drop();
    const line = pipe();
    this.#sent = 0;
    this.#received = 0;
    const consumer: Consumer = {
      next: this.#last + 1,
      isAttached: false,
      sent: 0,
      deliver: (message) => {
        consumer.sent += 1;
        const number = consumer.sent;
        line.send(() =>
          clock.run(() => {
            if (consumer !== this.#consumer) return;
            this.#received += 1;
            if (number === this.#received) this.#take(message);
            else this.#consume();
          }),
        );
      },
    };
    this.#consumer = consumer;
    ask(() => {
      if (consumer === this.#consumer) stream.attach(consumer);
    });
  }

  #take(message: StoredMessage): void {
    if (message.sequence !== this.#last + 1) {
      const said = `The stream does not give message ${this.#last + 1}`;
      this.#failure = new MeridianError("STORE_FAILED", said);
      this.#drop();
    } else {
      this.#last = message.sequence;
      this.#queue.push(message);
    }
    this.#wake();
  }

  /** A heartbeat says how many messages were sent. */
  #watch(): void {
    const { clock, isThere } = this.#options;
    clock.after(HEARTBEAT_MS, () => {
      if (this.#isStopped || this.#failure !== undefined || !isThere()) return;
      const isLate = this.#received < this.#sent;
      if (isLate || this.#consumer?.isAttached !== true) this.#consume();
      else this.#sent = this.#consumer.sent;
      this.#watch();
    });
  }

  #drop(): void {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    if (consumer !== undefined) this.#options.stream.detach(consumer);
  }
}
