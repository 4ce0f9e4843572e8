import { asMeridianError, MeridianError, type LogFrame } from "@meridian/protocol";
import type { Done } from "@meridian/ports";
import type { StreamPlace } from "@meridian/store";

import { Lineage, placeWithin, readPlace } from "./lineage.ts";
import type { LogState } from "./log-state.ts";
import type { LogStream, StoredMessage } from "./log-stream.ts";
import { decodeEpoch, decodeRecord, RecordParts } from "./records.ts";
import { ALL_STREAM_RULES, type StreamRules } from "./rules.ts";
import { applyRecord } from "./stream-log.ts";

const NONE = new Uint8Array(0);

const IGNORED: Done = () => {};

/** Applies what a stream has to the state that is made from it. */
export class Replay {
  readonly #stream: LogStream;
  readonly #state: LogState;
  readonly #parts = new RecordParts();
  readonly #lineage: Lineage;
  /** The last message that counted; undefined before the first. */
  #counted: StreamPlace | undefined;
  #readThrough: number;
  /** The message `#readThrough`; with an empty id where it is not known which it is. */
  #read: StreamPlace = { sequence: 0, id: "" };
  /** How many records of the next message the state has already. */
  #has = 0;
  #highestTime = 0;
  readonly #onFrame: (frame: LogFrame) => void;

  /** Calls `onFrame` with each frame of the log, before it is durable here. */
  constructor(
    stream: LogStream,
    state: LogState,
    onFrame: (frame: LogFrame) => void = () => {},
    rules: StreamRules = ALL_STREAM_RULES,
  ) {
    this.#stream = stream;
    this.#onFrame = onFrame;
    this.#state = state;
    const { place } = state;
    this.#lineage = new Lineage(place?.id, rules);
    this.#readThrough = place?.sequence ?? 0;
    if (place === undefined) return;
    const { message, records } = readPlace(place.id);
    this.#counted = { sequence: place.sequence, id: message };
    if (records === undefined) return;
    this.#has = records;
    this.#readThrough -= 1;
  }

  /** The highest stamp time in the frames that were read. */
  get highestTime(): number {
    return this.#highestTime;
  }

  /** The last message that was read since the database was opened. */
  get read(): StreamPlace {
    return this.#read;
  }

  /** The sequence of the last message that was read. */
  get readThrough(): number {
    return this.#readThrough;
  }

  /**
   * Reads to the end. Resolves to the sequence of the last message when everything is durable; to undefined if the stream was trimmed meanwhile, and
   * the next message is not there any more, or was set back, and has gone on without what was read.
   */
  async run(): Promise<number | undefined> {
    const { first, last } = await this.#stream.bounds();
    if (last < this.#readThrough) {
      const said = `Expected message ${this.#readThrough} in the stream, but it ends with ${last}`;
      throw new MeridianError("STORE_FAILED", said);
    }
    // Another directory has kept a snapshot, and trimmed the stream behind it.
    if (last > this.#readThrough && first > this.#readThrough + 1) return undefined;
    if (!(await this.#isOfStream())) return undefined;
    while (this.#readThrough < last) {
      await this.apply(await this.#stream.read(this.#readThrough, last));
    }
    return last;
  }

  /** Whether the stream has the last message that counted. Rejects if its servers do not say. */
  async #isOfStream(): Promise<boolean> {
    if (this.#counted === undefined) return true;
    const { sequence, id } = this.#counted;
    const found = await this.#stream.get(sequence);
    if (found !== undefined) return found.id === id;
    const { first } = await this.#stream.bounds();
    if (first > sequence) return false;
    throw new MeridianError("STORE_FAILED", `Expected message ${sequence} in the stream, got none`);
  }

  /** Applies the next messages. Resolves when they are durable. */
  async apply(messages: readonly StoredMessage[]): Promise<void> {
    const applied = messages.map(
      (message) =>
        new Promise<void>((resolve, reject) => {
          const done: Done = (failure) => (failure === undefined ? resolve() : reject(failure));
          this.#take(message, done);
          this.#readThrough = message.sequence;
          this.#read = { sequence: message.sequence, id: message.id };
        }),
    );
    await Promise.all(applied).catch((cause: unknown) => {
      const { message } = asMeridianError(cause);
      const [from, through] = [messages[0]?.sequence, messages.at(-1)?.sequence];
      const said = `What the stream has from message ${from} through ${through} cannot be applied to the database of this directory: ${message}`;
      throw new MeridianError("STORE_CORRUPT", said, { cause });
    });
  }

  #take(message: StoredMessage, done: Done): void {
    if (!this.#lineage.counts(message)) return done();
    const { subject, id, sequence, data } = message;
    const place: StreamPlace = { sequence, id };
    this.#counted = place;
    if (subject === "epoch") {
      this.#parts.drop();
      return this.#state.saveEpochs(decodeEpoch(data).epochs, done, place);
    }
    const wholes = this.#parts.take(data);
    const from = this.#has;
    this.#has = 0;
    if (from >= wholes.length) return done();
    for (let index = from; index < wholes.length; index += 1) {
      const record = decodeRecord(wholes[index] ?? NONE);
      if (record.kind === "frame") {
        this.#highestTime = Math.max(this.#highestTime, record.highestTime);
        this.#onFrame(record);
      }
      const isLast = index === wholes.length - 1;
      // What fails before the last record fails with it, too.
      const within = placeWithin(place, index + 1, wholes.length);
      applyRecord(this.#state, record, within, isLast ? done : IGNORED);
    }
  }
}
