/**
 * Appends messages to a stream, in order, as long as nobody else does.
 *
 * Each message is published under the condition that the last one in the stream is the message before it, so its place is known before it is
 * sent. Many are on their way at once, bounded in bytes. A message is stored when it and all before it are acknowledged for their places: then
 * nothing else can be between them.
 *
 * When an acknowledgement fails, does not come, or names another place, nobody knows what the stream has stored. The writer stops, and reads what the
 * stream has behind the last message that it knows, by the rule of all readers (see `Lineage`). Its own messages that count are stored.
 * What does not count, such as messages that an older writer had on their way, takes a place and nothing else. The rest of the queue is
 * published again for the places that are free. If another epoch has begun, the writer has lost the stream.
 *
 * That the last message is the one before is a number, and a stream that was set back gives the same numbers again. Say this writer has begun its epoch
 * as message 7, and the stream is set back to 6. Another directory begins an epoch as message 7, and then this writer's 8 would be stored
 * behind that, for its place, and count for nobody. So each time that the writer asks, it compares the message at its place by its id; and it asks
 * before it publishes, or believes an acknowledgement, where it has not heard of the stream for so long that another directory may have begun an epoch.
 *
 * Invariant: the writer knows the stream through `last`; the queue holds exactly its own messages that do not count there; the first `sent` of
 * them have been published in this round, for the places from `last` on.
 */
import { asMeridianError, MeridianError } from "@meridian/protocol";
import { Fifo, type Clock, type Logger } from "@meridian/runtime";
import type { StreamPlace } from "@meridian/store";

import { delay } from "./delay.ts";
import { messageId, parseMessageId } from "./lineage.ts";
import type { LogStream, StoredMessage, StreamMessage } from "./log-stream.ts";
import { ALL_STREAM_RULES, type StreamRules } from "./rules.ts";

/** Called once for each message: with its place when it is stored, or with the failure. */
export type Stored = (failure: MeridianError | undefined, place: StreamPlace) => void;

/** How a writer is made. */
export interface StreamWriterOptions {
  readonly stream: LogStream;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The epoch that was begun for this writer. */
  readonly epoch: number;
  /** Through which message its opening has read the stream. */
  readonly last: StreamPlace;
  /** Called once when nothing can be appended any more. */
  readonly onLost: (failure: MeridianError) => void;
  /** Called when the stream has given no answer since `sinceMs`, for as long as `CUT_OFF_MS`, and each time that as much has passed again. */
  readonly onCutOff?: ((sinceMs: number) => void) | undefined;
  readonly rules?: Pick<StreamRules, "fencedWritersEnd" | "placesHaveIds"> | undefined;
}

interface Waiting {
  readonly number: number;
  readonly subject: StreamMessage["subject"];
  readonly data: Uint8Array;
  readonly stored: Stored;
  /** The round in which it was acknowledged for its place. */
  acknowledgedIn: number | undefined;
}

const NOWHERE: StreamPlace = { sequence: 0, id: "" };

/** How many bytes may be on their way. */
const WINDOW_BYTES = 4 * 1024 * 1024;

/** Without an acknowledgement for this long, the stream is asked what it has. */
const STALL_MS = 1_000;

/** How long the writer waits before it asks or publishes again. */
const RETRY_MS = 250;

/** A writer to which nothing was acknowledged for this long looks whether the stream is still its own. */
const IDLE_MS = 500;

/** For how long it is so after that. Less than what a standby waits for. */
const TRUST_MS = 1_900;

/** A stream that has less than it has acknowledged, for this long, has lost it. A new leader may have to read its disk first. */
const BEHIND_MS = 10_000;

/** Longer than the stream is without a leader, and than a standby waits. */
const CUT_OFF_MS = 20_000;

/** The one writer of a stream. */
export class StreamWriter {
  readonly #options: StreamWriterOptions;
  readonly #queue = new Fifo<Waiting>();
  #last: number;
  /** The id of the message `#last`; undefined if the stream had none yet. */
  #lastId: string | undefined;
  #number = 0;
  #sent = 0;
  #sentBytes = 0;
  /** Grows each time that the writer stops. Answers to what it published before are not heard: it has asked the stream itself. */
  #round = 0;
  #isAsking = false;
  #behindSinceMs: number | undefined;
  #reachedAtMs: number;
  /** When it was last known that nobody else writes. */
  #trustedAtMs: number;
  /** When the stream has last given an answer. */
  #answeredAtMs: number;
  /** How often `onCutOff` was called since. */
  #cutOffs = 0;
  #stall: MeridianError | undefined;
  #ended: MeridianError | undefined;
  #cancel: () => void;

  constructor(options: StreamWriterOptions) {
    this.#options = options;
    this.#last = options.last.sequence;
    this.#lastId = options.last.id || undefined;
    this.#reachedAtMs = options.clock.elapsedMs();
    this.#trustedAtMs = this.#reachedAtMs;
    this.#answeredAtMs = this.#reachedAtMs;
    this.#cancel = options.clock.after(STALL_MS, () => this.#watch());
  }

  /** Why nothing is stored now; undefined while all is well. */
  get stall(): MeridianError | undefined {
    return this.#stall;
  }

  /** How many messages wait to be stored. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Appends a message. One of the subject `epoch` is published while no other is on its way. */
  append(data: Uint8Array, stored: Stored, subject: StreamMessage["subject"] = "log"): void {
    const ended = this.#ended;
    if (ended !== undefined) return queueMicrotask(() => stored(ended, NOWHERE));
    if (this.#queue.length === 0) this.#reachedAtMs = this.#options.clock.elapsedMs();
    this.#number += 1;
    const number = this.#number;
    this.#queue.push({ number, subject, data, stored, acknowledgedIn: undefined });
    this.#pump();
  }

  /** Appends nothing any more, and calls nobody back about what waits. */
  stop(): void {
    this.#end(new MeridianError("STORE_FAILED", "The log is closed"));
    this.#queue.takeAll();
  }

  /** Appends nothing any more: what waits fails, and the owner is told. */
  lose(failure: MeridianError): void {
    if (this.#ended !== undefined) return;
    this.#end(failure);
    this.#stall = failure;
    for (const { stored } of this.#queue.takeAll()) stored(failure, NOWHERE);
    this.#options.onLost(failure);
  }

  #end(failure: MeridianError): void {
    this.#ended ??= failure;
    this.#cancel();
  }

  #pump(): void {
    if (this.#isAsking || this.#ended !== undefined || this.#queue.at(this.#sent) === undefined)
      return;
    if (this.#isInDoubt) return void this.#ask(undefined);
    for (;;) {
      const next = this.#queue.at(this.#sent);
      if (next === undefined) return;
      const bytes = next.data.byteLength;
      if (this.#sentBytes > 0 && this.#sentBytes + bytes > WINDOW_BYTES) return;
      const isAlone = next.subject === "epoch" || this.#queue.at(0)?.subject === "epoch";
      if (isAlone && this.#sent > 0) return;
      this.#publish(next, this.#last + this.#sent);
      this.#sent += 1;
      this.#sentBytes += bytes;
    }
  }

  #publish(waiting: Waiting, after: number): void {
    const round = this.#round;
    const sequence = after + 1;
    const id = messageId({ epoch: this.#options.epoch, number: waiting.number, sequence });
    const { subject, data } = waiting;
    this.#options.stream.publish({ subject, id, data }, after).then(
      (stored) => {
        if (round !== this.#round) return;
        if (this.#isInDoubt) return void this.#ask(undefined);
        if (stored !== sequence) return void this.#ask(`it has stored a message as ${stored}`);
        waiting.acknowledgedIn = round;
        this.#reach();
      },
      (cause: unknown) => {
        if (round === this.#round) void this.#ask(asMeridianError(cause).message);
      },
    );
  }

  /** Takes what is acknowledged from the head of the queue. */
  #reach(): void {
    for (let first = this.#queue.at(0); first !== undefined; first = this.#queue.at(0)) {
      if (first.acknowledgedIn !== this.#round || this.#ended !== undefined) break;
      this.#sent -= 1;
      this.#sentBytes -= first.data.byteLength;
      this.#store(first);
    }
    this.#pump();
  }

  /** The first message of the queue is the next one of the stream. */
  #store({ number, stored }: Waiting): void {
    this.#queue.shift();
    this.#last += 1;
    this.#reachedAtMs = this.#options.clock.elapsedMs();
    this.#trustedAtMs = this.#reachedAtMs;
    this.#hearStream();
    if (!this.#isAsking) this.#endStall();
    const sequence = this.#last;
    const id = messageId({ epoch: this.#options.epoch, number, sequence });
    this.#lastId = id;
    stored(undefined, { sequence, id });
  }

  /** Whether another directory may have begun an epoch since this one has last heard of the stream. */
  get #isInDoubt(): boolean {
    const { clock, rules = ALL_STREAM_RULES } = this.#options;
    return rules.placesHaveIds && clock.elapsedMs() - this.#trustedAtMs > TRUST_MS;
  }

  #watch(): void {
    if (this.#ended !== undefined) return;
    this.#cancel = this.#options.clock.after(STALL_MS, () => this.#watch());
    this.#watchAnswers();
    const restMs = this.#options.clock.elapsedMs() - this.#reachedAtMs;
    if (this.#isAsking || restMs < (this.#queue.length > 0 ? STALL_MS : IDLE_MS)) return;
    void this.#ask(
      this.#queue.length > 0 ? `it has acknowledged nothing for ${STALL_MS} ms` : undefined,
    );
  }

  #watchAnswers(): void {
    const restMs = this.#options.clock.elapsedMs() - this.#answeredAtMs;
    if (restMs < CUT_OFF_MS * (1 + this.#cutOffs)) return;
    this.#cutOffs += 1;
    this.#options.onCutOff?.(this.#answeredAtMs);
  }

  #hearStream(): void {
    this.#answeredAtMs = this.#options.clock.elapsedMs();
    this.#cutOffs = 0;
  }

  /** Stops, finds out what the stream has, and goes on. `why` is undefined if nothing is wrong as far as the writer knows. */
  async #ask(why: string | undefined): Promise<void> {
    if (this.#isAsking || this.#ended !== undefined) return;
    const { clock } = this.#options;
    this.#isAsking = true;
    this.#round += 1;
    this.#sent = 0;
    this.#sentBytes = 0;
    const before = this.#last;
    if (why !== undefined) this.#beginStall(why);
    for (;;) {
      try {
        await this.#compare();
        break;
      } catch (cause) {
        this.#beginStall(asMeridianError(cause).message);
      }
      if (this.#ended !== undefined) return;
      await delay(clock, RETRY_MS);
    }
    // What the stream refuses now, it will refuse at once again.
    if (why !== undefined && this.#last === before) await delay(clock, RETRY_MS);
    this.#isAsking = false;
    this.#reachedAtMs = clock.elapsedMs();
    this.#trustedAtMs = this.#reachedAtMs;
    if (this.#queue.length === 0) this.#endStall();
    this.#pump();
  }

  /** Reads the stream to its end. */
  async #compare(): Promise<void> {
    const { stream, rules = ALL_STREAM_RULES } = this.#options;
    const { first, last } = await stream.bounds();
    this.#hearStream();
    if (last < this.#last) return this.#waitForLast(`it ends with ${last}`);
    // This directory has the stream trimmed behind what it has applied itself, so another one has done it, and with it the begin of its epoch may be gone.
    if (first > this.#last + 1) return this.lose(trimmed(this.#last, first));
    if (this.#lastId !== undefined && rules.placesHaveIds) {
      const found = await stream.get(this.#last);
      if (found === undefined) return this.#waitForLast("a server does not know it");
      if (found.id !== this.#lastId) return this.lose(replaced(this.#last));
    }
    this.#behindSinceMs = undefined;
    while (this.#last < last && this.#ended === undefined) {
      for (const message of await stream.read(this.#last, last)) this.#take(message);
    }
  }

  /** The stream lacks what it has acknowledged. A server may lag behind: so this throws, until that has lasted for too long. */
  #waitForLast(but: string): void {
    const { clock } = this.#options;
    this.#behindSinceMs ??= clock.elapsedMs();
    const said = `Expected message ${this.#last} in the stream, which it has acknowledged, but ${but}`;
    const failure = new MeridianError("STORE_FAILED", said);
    if (clock.elapsedMs() - this.#behindSinceMs < BEHIND_MS) throw failure;
    this.lose(failure);
  }

  #take({ subject, id, sequence }: StoredMessage): void {
    if (this.#ended !== undefined) return;
    const read = parseMessageId(id);
    const first = this.#queue.at(0);
    const isOwn = read?.epoch === this.#options.epoch;
    const { fencedWritersEnd } = this.#options.rules ?? ALL_STREAM_RULES;
    if (subject === "epoch" && !isOwn && fencedWritersEnd) return this.lose(fenced(sequence));
    if (isOwn && first !== undefined && read.number === first.number) return this.#store(first);
    this.#last = sequence;
    this.#lastId = id;
  }

  #beginStall(why: string): void {
    if (this.#ended !== undefined) return;
    const said = `The stream takes nothing, and nodes keep their writes meanwhile: ${why}`;
    if (this.#stall === undefined) this.#options.logger.warn("the stream takes nothing", { why });
    this.#stall = new MeridianError("STORE_FAILED", said);
  }

  #endStall(): void {
    if (this.#stall === undefined || this.#ended !== undefined) return;
    this.#stall = undefined;
    this.#options.logger.info("the stream takes messages again");
  }
}

function trimmed(last: number, first: number): MeridianError {
  const said = `Expected message ${last + 1} of the stream, but it begins with ${first}: another directory has trimmed it, so this one is not its writer any more`;
  return new MeridianError("STORE_IN_USE", said);
}

function replaced(last: number): MeridianError {
  const said = `Message ${last} of the stream is not the one that this directory knows: the stream was set back, and another directory writes it`;
  return new MeridianError("STORE_IN_USE", said);
}

function fenced(sequence: number): MeridianError {
  const said = `Another directory has begun an epoch with message ${sequence} of the stream, so this one is not its writer any more`;
  return new MeridianError("STORE_IN_USE", said);
}
