import { MeridianError } from "@meridian/protocol";

import type {
  FollowedMessages,
  LogStream,
  StoredMessage,
  StreamBounds,
  StreamMessage,
  StreamWriterWord,
} from "../src/log-stream.ts";
import type { RelayWire } from "../src/relay-wire.ts";

/** What is asked of a stream. */
export type Call = "publish log" | "publish epoch" | "trim" | "read" | "newest";

/** When a server breaks, and who is told. */
export interface Break {
  readonly call: Call;
  readonly isDone: boolean;
  readonly onBroken: () => void;
}

/** What all connections to one stream in memory share. */
export class MemoryServer {
  messages: StoredMessage[] = [];
  /** The sequence of the first message that was not trimmed. */
  first = 1;
  /** For each writer, what it is to do when it is asked, with its epoch. */
  readonly writers = new Map<() => void, number>();
  /** Who is told that a directory writes no more. */
  readonly listeners = new Set<(epoch: number) => void>();
  /** How often somebody has begun to follow the messages. */
  followed = 0;
  /** Whether those who follow get nothing for now. */
  isSlow = false;
  /** The limit that the stream tells; null without one. */
  bytesMax: number | null = null;
  /** So many messages more are stored, and all others refused. */
  room = Infinity;
  /** How often somebody has asked whether there is a writer. */
  asked = 0;
  /** So many of the next of them get no answer. */
  unanswered = 0;
  /** So many of the next questions for a message are answered by a server that does not know it yet. */
  unknowing = 0;
  /** Likewise of those for the newest epoch. */
  epochless = 0;
  /** Nobody gets an answer. */
  isDown = false;
  /** Told of some of what is asked for. */
  onCall: (call: Call) => void = () => {};
  /** Once this is asked for, nobody gets an answer any more, whether it was done or not. */
  breaksAt: Break | undefined;

  connect(): MemoryStream {
    return new MemoryStream(this);
  }

  /** Sets the stream back to its first messages. */
  cut(through: number): void {
    this.messages.length = Math.min(this.messages.length, through);
  }
}

/** A connection to a stream in memory, which can misbehave as a network does. */
export class MemoryStream implements LogStream {
  /** How the next messages are treated, one after the other: lost, or stored without an acknowledgement. */
  readonly faults: ("lost" | "stored")[] = [];
  readonly published: string[] = [];
  /** Carries nothing. */
  readonly relays: RelayWire = { send: () => {}, listen: () => () => {} };
  readonly #server: MemoryServer;
  #isOpen = true;
  #onAsked: () => void = () => {};

  constructor(server: MemoryServer) {
    this.#server = server;
  }

  async publish(message: StreamMessage, after: number): Promise<number> {
    this.published.push(message.id);
    const fault = this.faults.shift() ?? this.#breakAt(`publish ${message.subject}`);
    if (fault !== "stored") await this.#answer();
    if (fault === "lost") throw new Error("timeout");
    const { messages } = this.#server;
    const known = messages.find(({ id }) => id === message.id);
    if (known === undefined) {
      if (messages.length !== after) throw new Error(`wrong last sequence: ${messages.length}`);
      if (this.#server.room === 0) throw new Error("insufficient resources");
      this.#server.room -= 1;
      messages.push({ ...message, sequence: after + 1 });
    }
    if (fault === "stored") throw new Error("timeout");
    return known?.sequence ?? after + 1;
  }

  async bounds(): Promise<StreamBounds> {
    await this.#answer();
    const { first, messages } = this.#server;
    const bytes = messages.slice(first - 1).reduce((sum, { data }) => sum + data.byteLength, 0);
    const { bytesMax } = this.#server;
    // As nats-server tells it of a stream that never had a message.
    const begin = messages.length === 0 ? 0 : first;
    return { first: begin, last: messages.length, bytes, bytesMax };
  }

  async read(after: number, through: number): Promise<readonly StoredMessage[]> {
    this.#server.onCall("read");
    await this.#answer();
    if (after + 1 < this.#server.first) throw new Error(`no message ${after + 1}`);
    return this.#server.messages.slice(after, Math.min(through, after + 3));
  }

  async get(sequence: number): Promise<StoredMessage | undefined> {
    await this.#answer();
    if (this.#server.unknowing > 0) {
      this.#server.unknowing -= 1;
      return undefined;
    }
    return sequence < this.#server.first ? undefined : this.#server.messages[sequence - 1];
  }

  async newestEpoch(): Promise<StoredMessage | undefined> {
    this.#server.onCall("newest");
    await this.#answer();
    if (this.#server.epochless > 0) {
      this.#server.epochless -= 1;
      return undefined;
    }
    const { first, messages } = this.#server;
    return messages.slice(first - 1).findLast(({ subject }) => subject === "epoch");
  }

  async trim(first: number): Promise<void> {
    const fault = this.#breakAt("trim");
    if (fault !== "stored") await this.#answer();
    this.#server.first = Math.max(first, this.#server.first);
    if (fault === "stored") throw new Error("timeout");
  }

  async discard(after: number, through: number): Promise<void> {
    await this.#answer();
    const { messages } = this.#server;
    for (const message of messages.slice(after, through)) {
      messages[message.sequence - 1] = { ...message, data: new Uint8Array(0) };
    }
  }

  follow(after: number): FollowedMessages {
    let isStopped = false;
    this.#server.followed += 1;
    const messages = async function* (this: MemoryStream): AsyncGenerator<StoredMessage> {
      for (let last = after; !isStopped;) {
        if (last + 1 < this.#server.first) {
          throw new MeridianError("STORE_FAILED", `no message ${last + 1}`);
        }
        await this.#answer();
        const next = this.#server.messages[last];
        if (next === undefined || this.#server.isSlow) continue;
        last += 1;
        yield next;
      }
    };
    return {
      [Symbol.asyncIterator]: () => messages.call(this),
      stop: () => {
        isStopped = true;
      },
    };
  }

  async writer(): Promise<StreamWriterWord | undefined> {
    try {
      await this.#answer();
    } catch {
      return undefined;
    }
    this.#server.asked += 1;
    if (this.#server.unanswered > 0) {
      this.#server.unanswered -= 1;
      return undefined;
    }
    for (const onAsked of this.#server.writers.keys()) onAsked();
    const epoch = [...this.#server.writers.values()].at(-1);
    return epoch === undefined ? undefined : { epoch };
  }

  async sayGone(epoch: number): Promise<void> {
    await this.#answer();
    for (const onGone of this.#server.listeners) onGone(epoch);
  }

  hearGone(onGone: (epoch: number) => void): void {
    this.#server.listeners.add(onGone);
  }

  announce(epoch: number, onAsked: () => void): void {
    this.#onAsked = onAsked;
    this.#server.writers.set(onAsked, epoch);
  }

  async close(): Promise<void> {
    this.#server.writers.delete(this.#onAsked);
    this.#isOpen = false;
  }

  #breakAt(call: Call): "lost" | "stored" | undefined {
    this.#server.onCall(call);
    const { breaksAt } = this.#server;
    if (breaksAt?.call !== call) return undefined;
    this.#server.breaksAt = undefined;
    this.#server.isDown = true;
    breaksAt.onBroken();
    return breaksAt.isDone ? "stored" : "lost";
  }

  async #answer(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#server.isDown || !this.#isOpen) throw new MeridianError("STORE_FAILED", "no answer");
  }
}
