/**
 * Makes messages of records. While few messages are on their way, each record is one, so none waits. When more are, the stream is what
 * takes the time, and each message costs it and the client the same, however small it is: then the records that come meanwhile become one message
 * together.
 */
import type { MeridianError } from "@meridian/protocol";
import { Fifo } from "@meridian/runtime";
import type { StreamPlace } from "@meridian/store";

import { placeWithin } from "./lineage.ts";
import { packRecords, PACKED_BYTES, partsOf } from "./records.ts";
import type { StreamWriter } from "./stream-writer.ts";

/** Called once for each record: with the place through which the stream has it, or with the failure. */
export type RecordStored = (failure: MeridianError | undefined, place: StreamPlace) => void;

interface Waiting {
  readonly bytes: Uint8Array;
  readonly stored: RecordStored;
}

/** The most bytes of records in one message. Well below what a server takes by default, 1 MiB. */
export const PART_BYTES_MAX: number = 128 * 1024;

/** With so many messages on their way, records wait for each other. */
const EAGER = 8;

/** Puts records into messages, in their order. */
export class RecordPacker {
  readonly #writer: Pick<StreamWriter, "append" | "waiting">;
  /** Told of the bytes of each message that is stored. */
  readonly #onBytes: (bytes: number) => void;
  readonly #queue = new Fifo<Waiting>();
  #bytes = 0;

  constructor(writer: Pick<StreamWriter, "append" | "waiting">, onBytes: (bytes: number) => void) {
    this.#writer = writer;
    this.#onBytes = onBytes;
  }

  /** How many records and messages wait to be stored. */
  get waiting(): number {
    return this.#queue.length + this.#writer.waiting;
  }

  append(bytes: Uint8Array, stored: RecordStored): void {
    this.#queue.push({ bytes, stored });
    this.#bytes += PACKED_BYTES + bytes.byteLength;
    this.#pack();
  }

  #pack(): void {
    while (this.#queue.length > 0) {
      if (this.#writer.waiting >= EAGER && this.#bytes < PART_BYTES_MAX) return;
      const records = this.#take();
      const [first] = records;
      if (first === undefined) return;
      if (records.length > 1) this.#send(records);
      else this.#sendAlone(first);
    }
  }

  /** As many records as one message holds, at least one. */
  #take(): readonly Waiting[] {
    const records: Waiting[] = [];
    for (let room = PART_BYTES_MAX; ;) {
      const next = this.#queue.at(0);
      if (next === undefined) return records;
      const bytes = PACKED_BYTES + next.bytes.byteLength;
      if (records.length > 0 && bytes > room) return records;
      this.#queue.shift();
      this.#bytes -= bytes;
      room -= bytes;
      records.push(next);
    }
  }

  #send(records: readonly Waiting[]): void {
    const data = packRecords(records.map(({ bytes }) => bytes));
    this.#writer.append(data, (failure, place) => {
      if (failure === undefined) this.#onBytes(data.byteLength);
      for (const [index, { stored }] of records.entries()) {
        stored(failure, placeWithin(place, index + 1, records.length));
      }
      this.#pack();
    });
  }

  #sendAlone({ bytes, stored }: Waiting): void {
    const parts = partsOf(bytes, PART_BYTES_MAX);
    for (const [index, data] of parts.entries()) {
      this.#writer.append(data, (failure, place) => {
        if (failure === undefined) this.#onBytes(data.byteLength);
        if (index < parts.length - 1) return;
        stored(failure, place);
        this.#pack();
      });
    }
  }
}
