/**
 * Shares one thread among links. A link whose peer sends little is read whenever something comes. A link that has used up its share of
 * a turn stops reading and queues; each turn of the event loop serves one link of the queue. So peers that send without end take turns
 * with each other and with all other work, and what they send waits on their side.
 */

/** A link's share of a turn, in bytes that are read: the system may have two mebibytes ready at once. */
const SHARE_BYTES = 256 * 1024;

/** The same in bytes of messages that are handed on: of small entries they hold three hundred, which take some milliseconds. */
const SHARE_HANDED_BYTES = 16 * 1024;

/** A link's share of a turn, in messages: each of them may be passed on to a thousand links. */
const SHARE_MESSAGES = 128;

/** A link's share of a turn, in milliseconds of handling its messages: a message whose code is new, or on a busy machine, takes many times what others take. */
const SHARE_MS = 4;

/** A link that waits for its turn. */
export interface TurnTaker {
  /** Its turn has come. */
  takeTurn(): void;
}

/** The queue of the links that wait, in the order in which they are served. */
export class ReadTurns {
  readonly #waiting = new Set<TurnTaker>();
  #isServing = false;

  /** Calls `takeTurn` in a later turn of the event loop, in which no other is served. */
  wait(taker: TurnTaker): void {
    this.#waiting.add(taker);
    this.#serve();
  }

  /** Takes a link out of the queue. */
  leave(taker: TurnTaker): void {
    this.#waiting.delete(taker);
  }

  #serve(): void {
    if (this.#isServing || this.#waiting.size === 0) return;
    this.#isServing = true;
    setImmediate(() => {
      this.#isServing = false;
      const [taker] = this.#waiting;
      if (taker !== undefined) {
        this.#waiting.delete(taker);
        taker.takeTurn();
      }
      this.#serve();
    });
  }
}

/** Counts what one link has used of its share. */
export class Share {
  #bytes = 0;
  #handedBytes = 0;
  #messages = 0;
  #handledMs = 0;

  get isUsedUp(): boolean {
    const isRead = this.#bytes >= SHARE_BYTES || this.#handedBytes >= SHARE_HANDED_BYTES;
    return isRead || this.#messages >= SHARE_MESSAGES || this.#handledMs >= SHARE_MS;
  }

  addBytes(bytes: number): void {
    this.#bytes += bytes;
  }

  addMessage(bytes: number, handledMs: number = 0): void {
    this.#handedBytes += bytes;
    this.#messages += 1;
    this.#handledMs += handledMs;
  }

  renew(): void {
    this.#bytes = 0;
    this.#handedBytes = 0;
    this.#messages = 0;
    this.#handledMs = 0;
  }
}
