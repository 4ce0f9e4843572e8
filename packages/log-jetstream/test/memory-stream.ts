import type { LogStream, StoredMessage, StreamBounds, StreamMessage } from "../src/log-stream.ts";

/** What all connections to one stream in memory share. */
export class MemoryServer {
  messages: StoredMessage[] = [];
  writers = 0;
  /** Nobody gets an answer. */
  isDown = false;

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
  readonly #server: MemoryServer;
  #isOpen = true;
  #isWriter = false;

  constructor(server: MemoryServer) {
    this.#server = server;
  }

  async publish(message: StreamMessage, after: number): Promise<number> {
    this.published.push(message.id);
    const fault = this.faults.shift();
    await this.#answer();
    if (fault === "lost") throw new Error("timeout");
    const { messages } = this.#server;
    const known = messages.find(({ id }) => id === message.id);
    if (known === undefined) {
      if (messages.length !== after) throw new Error(`wrong last sequence: ${messages.length}`);
      messages.push({ ...message, sequence: after + 1 });
    }
    if (fault === "stored") throw new Error("timeout");
    return known?.sequence ?? after + 1;
  }

  async bounds(): Promise<StreamBounds> {
    await this.#answer();
    return { first: 1, last: this.#server.messages.length };
  }

  async read(after: number, through: number): Promise<readonly StoredMessage[]> {
    await this.#answer();
    return this.#server.messages.slice(after, Math.min(through, after + 3));
  }

  async get(sequence: number): Promise<StoredMessage | undefined> {
    await this.#answer();
    return this.#server.messages[sequence - 1];
  }

  async newestEpoch(): Promise<StoredMessage | undefined> {
    await this.#answer();
    return this.#server.messages.findLast(({ subject }) => subject === "epoch");
  }

  async isWritten(): Promise<boolean> {
    await this.#answer();
    return this.#server.writers > 0;
  }

  announce(): void {
    this.#isWriter = true;
    this.#server.writers += 1;
  }

  async close(): Promise<void> {
    if (this.#isWriter) this.#server.writers -= 1;
    this.#isWriter = false;
    this.#isOpen = false;
  }

  async #answer(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#server.isDown || !this.#isOpen) throw new Error("no answer");
  }
}
