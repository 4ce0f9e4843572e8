/** What the log needs of a stream. `JetStream` implements it; tests have one in memory. */

import type { RelayWire } from "./relay-wire.ts";

/** A message that the log publishes. */
export interface StreamMessage {
  /** `log` for a record, or a part of one; `epoch` for the begin of an epoch. Of snapshots: `log` for a part, `epoch` for what the parts are. */
  readonly subject: "log" | "epoch";
  /** Unique among all messages of all writers, so a message of this id is this message. */
  readonly id: string;
  readonly data: Uint8Array;
}

/** A message that the stream has. */
export interface StoredMessage extends StreamMessage {
  readonly sequence: number;
}

/** The sequences of the first and the last message, and how much is between them; an empty stream has a `last` below its `first`. */
export interface StreamBounds {
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
  /** How many bytes the stream may have; null without a limit of its own. */
  readonly bytesMax: number | null;
}

/** Messages of a stream as they come. Ends with `STORE_FAILED` if the next one cannot be had. */
export interface FollowedMessages extends AsyncIterable<StoredMessage> {
  /** No more messages come, and the iteration ends. */
  stop(): void;
}

/** What a directory says that writes a stream. */
export interface StreamWriterWord {
  /** Its epoch; 0 if it does not say. Then it takes no links of other directories' nodes. */
  readonly epoch: number;
}

/** An ordered, durable list of messages, numbered without gaps, to which many may try to append. */
export interface LogStream {
  /**
   * Stores a message if the last one in the stream has the sequence `after`; otherwise rejects. Resolves to its sequence when the stream promises to
   * keep it. A rejection does not mean that the message is not in the stream.
   */
  publish(message: StreamMessage, after: number): Promise<number>;
  bounds(): Promise<StreamBounds>;
  /** The first messages after `after`, at least one and at most through `through`, without gaps. Rejects if the next one cannot be had. */
  read(after: number, through: number): Promise<readonly StoredMessage[]>;
  /** The message of a sequence; undefined if there is none. */
  get(sequence: number): Promise<StoredMessage | undefined>;
  /** The newest message of the subject `epoch`. */
  newestEpoch(): Promise<StoredMessage | undefined>;
  /** Removes all messages before that of the sequence `first`. */
  trim(first: number): Promise<void>;
  /** Removes the messages behind `after` and through `through`, which nobody is to read. Their sequences are not given again. */
  discard(after: number, through: number): Promise<void>;
  /** Messages behind `after` as they come, in order and without gaps, until `stop` is called. */
  follow(after: number): FollowedMessages;
  /** The directory that answers that it writes this stream now; undefined if none does. */
  writer(): Promise<StreamWriterWord | undefined>;
  /** Answers others from now on that this directory writes the stream, in this epoch. Calls `onAsked` each time. */
  announce(epoch: number, onAsked: () => void): void;
  /** Tells others that the directory that wrote in this epoch writes no more. Nothing depends on it: it saves them the time in which they wait for an answer. */
  sayGone(epoch: number): Promise<void>;
  /** Calls `onGone` with each epoch of which that is told. */
  hearGone(onGone: (epoch: number) => void): void;
  /** Carries links between directories; undefined if nothing does. */
  readonly relays?: RelayWire | undefined;
  close(): Promise<void>;
}
