/** The stream of a cluster in NATS JetStream. */
import { asMeridianError, MeridianError } from "@meridian/protocol";
import type { Logger } from "@meridian/runtime";
import {
  jetstream,
  JetStreamApiError,
  type Consumer,
  type JetStreamClient,
  type JetStreamManager,
  type StoredMsg,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";

import type {
  FollowedMessages,
  LogStream,
  StoredMessage,
  StreamBounds,
  StreamMessage,
  StreamWriterWord,
} from "./log-stream.ts";
import { NatsWire } from "./nats-wire.ts";
import type { RelayWire } from "./relay-wire.ts";
import type { StreamNames } from "./stream-settings.ts";

/** How long a question to the servers may take. */
export const ASK_MS: number = 3_000;

/** A message that is not acknowledged by then counts as not acknowledged. The writer asks long before. */
const PUBLISH_MS = 10_000;

/** How long another directory has time to say that it writes. */
const WRITER_MS = 1_000;

/** A consumer that has more to deliver than a server buffers for a client, comes to rest for a minute. These are 8 MiB at most. */
const READ_MESSAGES = 64;

const READ_MS = 3_000;

/**
 * A consumer lies on one server, and is lost with it. A client that hears nothing twice makes another one; NATS' own default finds that out after half a
 * minute.
 */
const FOLLOWING = { expires: 4_000, idle_heartbeat: 1_000 };

/** How a stream is made. */
export interface JetStreamParts {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly names: StreamNames;
  readonly domain?: string | undefined;
}

/** A stream of JetStream that exists and has been checked. */
export class JetStream implements LogStream {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #client: JetStreamClient;
  readonly #names: StreamNames;
  #consumer: { readonly consumer: Consumer; readonly after: number } | undefined;

  constructor({ connection, manager, names, domain }: JetStreamParts) {
    this.#connection = connection;
    this.#manager = manager;
    this.#client = jetstream(connection, {
      ...(domain !== undefined && { domain }),
      timeout: ASK_MS,
    });
    this.#names = names;
  }

  async publish({ subject, id, data }: StreamMessage, after: number): Promise<number> {
    const expect = { lastSequence: after, streamName: this.#names.stream };
    const published = this.#client.publish(this.#names[subject], data, {
      msgID: id,
      expect,
      timeout: PUBLISH_MS,
    });
    return (await told(published, "store a message")).seq;
  }

  async bounds(): Promise<StreamBounds> {
    const asked = this.#manager.streams.info(this.#names.stream);
    const { state, config } = await told(asked, "tell its state");
    const bytesMax = config.max_bytes > 0 ? config.max_bytes : null;
    return { first: state.first_seq, last: state.last_seq, bytes: state.bytes, bytesMax };
  }

  async read(after: number, through: number): Promise<readonly StoredMessage[]> {
    const held = this.#consumer;
    const consumer =
      held?.after === after
        ? held.consumer
        : await told(
            this.#client.consumers.get(this.#names.stream, { opt_start_seq: after + 1 }),
            "be read",
          );
    this.#consumer = undefined;
    const wanted = Math.min(READ_MESSAGES, through - after);
    const read = await told(this.#fetch(consumer, after, wanted), "be read");
    const last = read.at(-1)?.sequence;
    if (last === undefined) {
      throw new MeridianError("STORE_FAILED", `The stream does not give message ${after + 1}`);
    }
    // A consumer that has not given all that it was asked for may still give the rest.
    if (last < through && read.length === wanted) this.#consumer = { consumer, after: last };
    else void consumer.delete().catch(() => {});
    return read;
  }

  async #fetch(consumer: Consumer, after: number, wanted: number): Promise<StoredMessage[]> {
    const read: StoredMessage[] = [];
    const messages = await consumer.fetch({ max_messages: wanted, expires: READ_MS });
    for await (const { seq, subject, headers, data } of messages) {
      if (seq !== after + read.length + 1) break;
      read.push(this.#stored(seq, subject, headers?.get(ID_HEADER) ?? "", data));
    }
    return read;
  }

  async get(sequence: number): Promise<StoredMessage | undefined> {
    return this.#ask({ seq: sequence });
  }

  newestEpoch(): Promise<StoredMessage | undefined> {
    return this.#ask({ last_by_subj: this.#names.epoch });
  }

  async trim(first: number): Promise<void> {
    // Servers take a purge up to message 1 for one of all messages.
    if (first <= 1) return;
    const { stream } = this.#names;
    await told(this.#manager.streams.purge(stream, { seq: first }), "remove its oldest messages");
  }

  async discard(after: number, through: number): Promise<void> {
    const { stream } = this.#names;
    for (let sequence = through; sequence > after; sequence -= 1) {
      await told(this.#manager.streams.deleteMessage(stream, sequence, false), "remove a message");
    }
  }

  follow(after: number): FollowedMessages {
    let isStopped = false;
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    return {
      [Symbol.asyncIterator]: () => this.#messagesAfter(after, ended, () => isStopped),
      stop: () => {
        isStopped = true;
        end();
      },
    };
  }

  /** One consumer gives them all: it asks for more before the last ones that it asked for have come. */
  async *#messagesAfter(
    after: number,
    ended: Promise<void>,
    isStopped: () => boolean,
  ): AsyncGenerator<StoredMessage> {
    const start = { opt_start_seq: after + 1 };
    const consumer = await told(this.#client.consumers.get(this.#names.stream, start), "be read");
    const consuming = { max_messages: READ_MESSAGES, ...FOLLOWING };
    const messages = await told(consumer.consume(consuming), "be read");
    void ended.then(() => messages.stop());
    try {
      let last = after;
      for await (const { seq, subject, headers, data } of messages) {
        if (isStopped()) return;
        if (seq !== last + 1) {
          throw new MeridianError("STORE_FAILED", `The stream does not give message ${last + 1}`);
        }
        last = seq;
        yield this.#stored(seq, subject, headers?.get(ID_HEADER) ?? "", data);
      }
    } finally {
      messages.stop();
      void consumer.delete().catch(() => {});
    }
    if (isStopped()) return;
    throw new MeridianError("STORE_FAILED", "The stream gives no more messages");
  }

  async writer(): Promise<StreamWriterWord | undefined> {
    try {
      const { writer } = this.#names;
      const said = await this.#connection.request(writer, undefined, { timeout: WRITER_MS });
      return { epoch: epochOf(said.data) };
    } catch {
      return undefined;
    }
  }

  announce(epoch: number, onAsked: () => void): void {
    this.#connection.subscribe(this.#names.writer, {
      callback: (failure, message) => {
        if (failure !== null) return;
        message.respond(JSON.stringify({ epoch }));
        onAsked();
      },
    });
  }

  async sayGone(epoch: number): Promise<void> {
    if (this.#connection.isClosed()) return;
    this.#connection.publish(this.#names.gone, JSON.stringify({ epoch }));
    await this.#connection.flush();
  }

  hearGone(onGone: (epoch: number) => void): void {
    this.#connection.subscribe(this.#names.gone, {
      callback: (failure, message) => {
        if (failure === null) onGone(epochOf(message.data));
      },
    });
  }

  get relays(): RelayWire {
    return new NatsWire(this.#connection, this.#names);
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #ask(
    query: { seq: number } | { last_by_subj: string },
  ): Promise<StoredMessage | undefined> {
    const asked = this.#manager.streams.getMessage(this.#names.stream, query);
    const found: StoredMsg | null = await told(asked, "be read");
    if (found === null) return undefined;
    return this.#stored(found.seq, found.subject, found.header.get(ID_HEADER), found.data);
  }

  #stored(sequence: number, subject: string, id: string, data: Uint8Array): StoredMessage {
    const isEpoch = subject === this.#names.epoch;
    return { sequence, id, data, subject: isEpoch ? "epoch" : "log" };
  }
}

/** The epoch that a writer says; 0 for one that says none. */
function epochOf(data: Uint8Array): number {
  try {
    const said: unknown = JSON.parse(Buffer.from(data).toString());
    const isWord = typeof said === "object" && said !== null && "epoch" in said;
    const epoch = isWord ? said.epoch : 0;
    const isEpoch = typeof epoch === "number" && Number.isSafeInteger(epoch) && epoch > 0;
    return isEpoch && epoch < 2 ** 48 ? epoch : 0;
  } catch {
    return 0;
  }
}

const ID_HEADER = "Nats-Msg-Id";

/** Logs when the connection is lost and found again. Resolves when it is closed. */
export async function logConnection(connection: NatsConnection, logger: Logger): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === "disconnect") logger.warn("the connection to NATS is lost");
    if (status.type === "reconnect")
      logger.info("connected to NATS again", { server: status.server });
    if (status.type === "error") logger.warn("NATS says", { error: status.error.message });
  }
}

/** What a failure of JetStream means, by its code, and what to do about it. */
const WHAT_TO_DO: Readonly<Record<number, string>> = {
  10_002: "its account of NATS has no room left; raise the account's `max_store`",
  10_023:
    "a server of NATS has no room left; raise `max_file` in its `jetstream` block, or free its disk",
  10_059:
    "its servers have none of this name now; one that was started on a full disk has to be started again once there is room",
  10_077:
    "it has reached its limit; raise its `max_bytes` and `max_msgs` with `nats stream edit`, or take them away",
};

/** The result of a question to the stream. Throws `STORE_FAILED` if there is none. */
async function told<Result>(asked: Promise<Result>, what: string): Promise<Result> {
  try {
    return await asked;
  } catch (cause) {
    const why = asMeridianError(cause).message.replace(/^Unexpected failure: /, "");
    const hint = cause instanceof JetStreamApiError ? WHAT_TO_DO[cause.code] : undefined;
    const said = `The stream could not ${what}: ${hint === undefined ? why : `${hint} (${why})`}`;
    throw new MeridianError("STORE_FAILED", said, { cause });
  }
}
