/**
 * Snapshots of the SQLite log, in a stream of their own.
 *
 * A snapshot is the file of the database, cut into messages of the subject `log`, and behind them one of the subject `epoch` that says what they are.
 * Each is published under the condition of its place, so nothing is between them: a directory that is not the writer any more cannot put an older
 * snapshot behind a newer one. What is left of an attempt that broke off is removed with the snapshots before the next one.
 */
import { createHash } from "node:crypto";

import { MeridianError } from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";
import type { StreamPlace } from "@meridian/store";
import * as v from "valibot";

import type { ReceivedState, StateCopy } from "./log-state.ts";
import type { LogStream, StoredMessage } from "./log-stream.ts";
import { lookFor } from "./place-in-stream.ts";

/** What is kept of a database. */
export interface SnapshotFacts {
  readonly logId: number;
  /** The database has what counts in the log's stream through here, or through a later message. */
  readonly place: StreamPlace;
  readonly bytes: number;
  /** Of the file, in hex. */
  readonly sha256: string;
}

/** A snapshot that is whole in the stream. */
export interface KeptSnapshot extends SnapshotFacts {
  /** The sequences of its first and its last part. */
  readonly first: number;
  readonly last: number;
}

/** The most bytes of the file in one message. */
const SNAPSHOT_PART_BYTES = 128 * 1024;

/** The format of what the last message says. */
const FORMAT = 1;

const WHOLE = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const FACTS = v.object({
  format: WHOLE,
  logId: WHOLE,
  place: v.object({ sequence: WHOLE, id: v.string() }),
  bytes: WHOLE,
  sha256: v.string(),
  first: WHOLE,
});

/** Under which conditions a snapshot is kept. */
export interface KeepingConditions {
  /** Called before each part. What it throws ends the keeping. */
  readonly goOn: () => void;
  /** Called once all parts are there. What it throws ends the keeping before the snapshot is said to be whole. */
  readonly confirm: () => Promise<void>;
  /** Whether a snapshot belongs to the log's stream as it is now. */
  readonly isOfStream: (snapshot: KeptSnapshot) => Promise<boolean>;
}

/** The stream with the snapshots of a log. */
export class SnapshotStream {
  readonly #stream: LogStream;

  constructor(stream: LogStream) {
    this.#stream = stream;
  }

  /** The newest snapshot that is whole; undefined if there is none that this version can read. */
  async newest(): Promise<KeptSnapshot | undefined> {
    const found = await this.#stream.newestEpoch();
    return found && factsIn(found);
  }

  /** Keeps a copy. Resolves when the stream has all of it; rejects if another directory keeps one meanwhile, or has kept a later one. */
  async keep(
    copy: Pick<StateCopy, "read">,
    facts: SnapshotFacts,
    { goOn, confirm, isOfStream }: KeepingConditions,
  ): Promise<KeptSnapshot> {
    const { last: before, bytes: used, bytesMax } = await this.#stream.bounds();
    checkRoom(facts.bytes, used, bytesMax);
    const newest = await this.newest();
    const isLater = newest !== undefined && newest.place.sequence > facts.place.sequence;
    if (isLater && (await isOfStream(newest))) {
      const said = `Another directory has kept a snapshot as of message ${newest.place.sequence}, which is newer than ${facts.place.sequence}`;
      throw new MeridianError("STORE_IN_USE", said);
    }
    let last = before;
    const publish = async (subject: "log" | "epoch", data: Uint8Array): Promise<void> => {
      goOn();
      const id = `${facts.sha256}-${last + 1}`;
      last = await this.#stream.publish({ subject, id, data }, last);
    };
    let mayBeWhole = false;
    try {
      for (let at = 0; at < facts.bytes;) {
        const piece = await copy.read(at, Math.min(SNAPSHOT_PART_BYTES, facts.bytes - at));
        if (piece.byteLength === 0) {
          const said = `Expected a copy of ${facts.bytes} bytes, got ${at}`;
          throw new MeridianError("STORE_FAILED", said);
        }
        await publish("log", piece);
        at += piece.byteLength;
      }
      const kept = { ...facts, first: before + 1, last };
      const { last: _, ...told } = kept;
      const whole = Buffer.from(JSON.stringify({ format: FORMAT, ...told }));
      await confirm();
      mayBeWhole = true;
      await publish("epoch", whole);
      return kept;
    } finally {
      // What is left of it would take the room of the log. But a message without an acknowledgement may be stored, now or later, and that one says that
      // the parts are there: who has no other database would ask for them for ever.
      if (!mayBeWhole && last > before) await this.#discard(before, last);
    }
  }

  /** Removes what an attempt has left. */
  async #discard(before: number, last: number): Promise<void> {
    try {
      await this.#stream.discard(before, last);
    } catch {
      // It goes with the snapshots before the next one.
    }
  }

  /** Hands a snapshot over, which counts only once it is whole. Rejects with `STORE_CORRUPT` if it is not what was kept. */
  async fetch(
    { first, last, bytes, sha256 }: KeptSnapshot,
    receive: () => Promise<ReceivedState>,
  ): Promise<void> {
    const hash = createHash("sha256");
    const received = await receive();
    let got = 0;
    let isWhole = false;
    try {
      for (let after = first - 1; after < last;) {
        for (const { data, sequence } of await this.#stream.read(after, last)) {
          hash.update(data);
          await received.write(data);
          got += data.byteLength;
          after = sequence;
        }
      }
      isWhole = got === bytes && hash.digest("hex") === sha256;
    } finally {
      await received.end(isWhole);
    }
    if (isWhole) return;
    const said = `Expected a snapshot of ${bytes} bytes with the SHA-256 ${sha256}, got ${got} bytes that differ`;
    throw new MeridianError("STORE_CORRUPT", said);
  }

  /** Removes all before a snapshot. */
  trim({ first }: KeptSnapshot): Promise<void> {
    return this.#stream.trim(first);
  }
}

/** Whether a snapshot belongs to the log's stream as it is now: its place is still there. */
export async function isOfStream(
  { logId, place }: SnapshotFacts,
  log: { readonly stream: LogStream; readonly clock: Clock; readonly logId: number },
): Promise<boolean> {
  if (logId !== log.logId) return false;
  return (await lookFor(place, log.stream, log.clock)) === "there";
}

/** What a message takes beside its data, at most. */
const MESSAGE_BYTES = 512;

/** Throws `STORE_FULL` if a stream has no room for a snapshot beside those that it has. */
function checkRoom(bytes: number, used: number, bytesMax: number | null): void {
  const needed = bytes + (2 + Math.ceil(bytes / SNAPSHOT_PART_BYTES)) * MESSAGE_BYTES;
  if (bytesMax === null || used + needed <= bytesMax) return;
  const said = `Expected room for a snapshot of ${needed} bytes in the stream of snapshots, got ${Math.max(0, bytesMax - used)} of its \`max_bytes\`; it holds two at times, so raise that to ${2 * needed} or more with \`nats stream edit\``;
  throw new MeridianError("STORE_FULL", said);
}

function factsIn({ data, sequence }: StoredMessage): KeptSnapshot | undefined {
  try {
    const { format, ...facts } = v.parse(FACTS, JSON.parse(Buffer.from(data).toString()));
    return format === FORMAT ? { ...facts, last: sequence - 1 } : undefined;
  } catch {
    return undefined;
  }
}
