import { asMeridianError, MeridianError } from "@meridian/protocol";
import type { Done } from "@meridian/ports";
import type { SqliteDirectoryLog, StreamPlace } from "@meridian/store";

import { Lineage } from "./lineage.ts";
import type { LogStream, StoredMessage } from "./log-stream.ts";
import { decodeRecord, RecordParts } from "./records.ts";
import { applyRecord } from "./stream-log.ts";

/** Applies what a stream has to the state that is made from it. */
export class Replay {
  readonly #stream: LogStream;
  readonly #state: SqliteDirectoryLog;
  readonly #parts = new RecordParts();
  readonly #lineage: Lineage;
  #readThrough: number;
  #highestTime = 0;

  constructor(stream: LogStream, state: SqliteDirectoryLog) {
    this.#stream = stream;
    this.#state = state;
    this.#lineage = new Lineage(state.place?.id);
    this.#readThrough = state.place?.sequence ?? 0;
  }

  /** The highest stamp time in the frames that were read. */
  get highestTime(): number {
    return this.#highestTime;
  }

  /** Reads to the end. Resolves to the sequence of the last message when everything is durable. */
  async run(): Promise<number> {
    const { first, last } = await this.#stream.bounds();
    if (last < this.#readThrough) {
      const said = `Expected message ${this.#readThrough} in the stream, but it ends with ${last}`;
      throw new MeridianError("STORE_FAILED", said);
    }
    if (last > this.#readThrough && first > this.#readThrough + 1) {
      // Another directory may have kept a snapshot, and trimmed the stream behind it.
      const said = `Expected message ${this.#readThrough + 1} in the stream, but it begins with ${first}`;
      throw new MeridianError("STORE_FAILED", said);
    }
    while (this.#readThrough < last) {
      await this.#apply(await this.#stream.read(this.#readThrough, last));
    }
    return last;
  }

  async #apply(messages: readonly StoredMessage[]): Promise<void> {
    const applied = messages.map(
      (message) =>
        new Promise<void>((resolve, reject) => {
          const done: Done = (failure) => (failure === undefined ? resolve() : reject(failure));
          this.#take(message, done);
          this.#readThrough = message.sequence;
        }),
    );
    await Promise.all(applied).catch((cause: unknown) => {
      const { message } = asMeridianError(cause);
      throw new MeridianError("STORE_CORRUPT", `The stream cannot be applied: ${message}`, {
        cause,
      });
    });
  }

  #take(message: StoredMessage, done: Done): void {
    if (!this.#lineage.counts(message)) return done();
    const { subject, id, sequence, data } = message;
    const place: StreamPlace = { sequence, id };
    if (subject === "epoch") {
      this.#parts.drop();
      return this.#state.moveTo(place, done);
    }
    const whole = this.#parts.take(data);
    if (whole === undefined) return done();
    const record = decodeRecord(whole);
    if (record.kind === "frame") {
      this.#highestTime = Math.max(this.#highestTime, record.highestTime);
    }
    applyRecord(this.#state, record, place, done);
  }
}
