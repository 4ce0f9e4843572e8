/**
 * Opens a log over a stream.
 *
 * 1. The SQLite log is opened, and compared with the stream by the last message that it has. If the stream has another message there, or none, it was
 *    set back to an older state or begun anew: the SQLite log is set aside, and a new one is read from the stream.
 * 2. Everything behind that message is read and applied.
 * 3. If another directory may still write, this one waits as a standby, and goes on reading, until nobody has answered for some seconds.
 * 4. The begin of a new epoch is published, under the condition that nothing was appended since 2. This is the one step that decides:
 *    from here on no message of an older writer counts.
 */
import { rename } from "node:fs/promises";

import { asMeridianError, MeridianError } from "@meridian/protocol";
import { randomIdentity, type Clock, type Logger } from "@meridian/runtime";
import { openDirectoryLog, type SqliteDirectoryLog, type StoreOptions } from "@meridian/store";

import { delay } from "./delay.ts";
import { messageId } from "./lineage.ts";
import type { LogStream } from "./log-stream.ts";
import { decodeEpoch, encodeEpoch, type EpochRecord } from "./records.ts";
import { Replay } from "./replay.ts";
import { StreamLog } from "./stream-log.ts";

/** How a log is opened over a stream. */
export interface OpeningOptions {
  readonly cluster: string;
  /** How the SQLite log is opened. */
  readonly store: StoreOptions;
  /** Called once when nothing can be made durable any more. End the process. */
  readonly onLost: (failure: MeridianError) => void;
  /** How long nobody may have answered before a standby takes over, in milliseconds. */
  readonly silenceMs?: number | undefined;
}

/** A machine that lost its network comes back, and a leader of the stream is replaced, within this time. */
const SILENCE_MS = 5_000;

const STEP_MS = 250;

/** A new leader of the stream may have to read its disk before it knows the newest messages. */
const BEHIND_MS = 5_000;

interface Begun {
  /** The stream has been read through here. */
  readonly last: number;
  readonly state: SqliteDirectoryLog;
  readonly record: EpochRecord;
  readonly highestTime: number;
}

/** Opens a log over a stream. The stream belongs to the log from here on. */
export async function openOverStream(
  stream: LogStream,
  options: OpeningOptions,
): Promise<StreamLog> {
  const { clock, logger } = options.store;
  try {
    const { last, state, record, highestTime } = await new Opening(stream, options).open();
    stream.announce();
    const { epochs } = record;
    const { onLost } = options;
    return new StreamLog({ stream, last, state, epochs, highestTime, clock, logger, onLost });
  } catch (failure) {
    await stream.close();
    throw failure;
  }
}

class Opening {
  readonly #stream: LogStream;
  readonly #options: OpeningOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #silentSinceMs: number;
  #isStandby = false;

  constructor(stream: LogStream, options: OpeningOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#clock = options.store.clock;
    this.#logger = options.store.logger;
    this.#silentSinceMs = this.#clock.elapsedMs();
  }

  async open(): Promise<Begun> {
    for (;;) {
      const state = await this.#openState();
      try {
        const begun = await this.#begin(state);
        if (begun !== undefined) return begun;
      } catch (failure) {
        await state.close();
        throw failure;
      }
      await state.close();
    }
  }

  /** Opens the SQLite log that belongs to the stream. */
  async #openState(): Promise<SqliteDirectoryLog> {
    const { store } = this.#options;
    const logId = (await this.#newest())?.record.logId ?? randomIdentity(store.random);
    const state = await openDirectoryLog({ ...store, logId });
    const isOfStream = await this.#isOfStream(state, logId).catch(async (failure: unknown) => {
      await state.close();
      throw failure;
    });
    if (isOfStream) return state;
    await state.close();
    this.#logger.warn(
      "the stream does not have what this data folder has of it; the database is set aside and made anew from the stream",
      { database: store.path },
    );
    await setAside(store.path);
    return openDirectoryLog({ ...store, logId });
  }

  async #isOfStream(state: SqliteDirectoryLog, logId: number): Promise<boolean> {
    const { place, committedThrough } = state;
    if (place === undefined) {
      if (committedThrough === 0 && state.members.length === 0) return state.logId === logId;
      const said = `${this.#options.store.path} has a log that is in no stream. Expected an empty folder: the regions fill the log again`;
      throw new MeridianError("INVALID_CONFIG", said);
    }
    if (state.logId !== logId) return false;
    for (let restMs = BEHIND_MS; restMs > 0; restMs -= STEP_MS) {
      const { last } = await this.#stream.bounds();
      if (last >= place.sequence) break;
      await delay(this.#clock, STEP_MS);
    }
    return (await this.#stream.get(place.sequence))?.id === place.id;
  }

  /**
   * Reads the stream to its end and begins an epoch. Resolves to undefined if the stream is that of another log by now, has lost what was read of
   * it, or cannot be reached: then all begins anew.
   */
  async #begin(state: SqliteDirectoryLog): Promise<Begun | undefined> {
    const replay = new Replay(this.#stream, state);
    let reachedAtMs = this.#clock.elapsedMs();
    while (this.#clock.elapsedMs() - reachedAtMs < BEHIND_MS) {
      try {
        const last = await replay.run();
        const newest = await this.#newest();
        reachedAtMs = this.#clock.elapsedMs();
        if (newest?.record.epochs.at(-1)?.[0] === state.epoch && newest.sequence <= last) {
          return { last, state, record: newest.record, highestTime: replay.highestTime };
        }
        if (newest !== undefined && !mayFollow(newest.record, state)) return undefined;
        if (await this.#mayBegin(state, newest?.record)) {
          await this.#publishEpoch(state, newest?.record, last);
          continue;
        }
      } catch (cause) {
        const failure = asMeridianError(cause);
        if (failure.code !== "STORE_FAILED") throw failure;
        this.#logger.debug("the stream could not be opened yet", { why: failure.message });
      }
      await delay(this.#clock, STEP_MS);
    }
    return undefined;
  }

  async #newest(): Promise<{ sequence: number; record: EpochRecord } | undefined> {
    const found = await this.#stream.newestEpoch();
    if (found === undefined) return undefined;
    const record = decodeEpoch(found.data);
    const { cluster } = this.#options;
    if (record.cluster === cluster) return { sequence: found.sequence, record };
    const said = `Expected a stream of the cluster \`${cluster}\`, got one of \`${record.cluster}\``;
    throw new MeridianError("INVALID_CONFIG", said);
  }

  async #mayBegin(state: SqliteDirectoryLog, newest: EpochRecord | undefined): Promise<boolean> {
    const epoch = newest?.epochs.at(-1)?.[0];
    // The last writer had this database open, which only one process can.
    if (epoch === undefined || state.epochs.some(([own]) => own === epoch)) return true;
    if (await this.#stream.isWritten()) {
      this.#silentSinceMs = this.#clock.elapsedMs();
      if (!this.#isStandby)
        this.#logger.info("another directory writes the log; this one stands by");
      this.#isStandby = true;
    }
    const { silenceMs = SILENCE_MS } = this.#options;
    return this.#clock.elapsedMs() - this.#silentSinceMs >= silenceMs;
  }

  async #publishEpoch(
    state: SqliteDirectoryLog,
    newest: EpochRecord | undefined,
    last: number,
  ): Promise<void> {
    const { logId, epoch, committedThrough } = state;
    const epochs = [...(newest?.epochs ?? []), [epoch, committedThrough] as const];
    const data = encodeEpoch({ cluster: this.#options.cluster, logId, epochs });
    const id = messageId({ epoch, number: 0, sequence: last + 1 });
    await this.#stream.publish({ subject: "epoch", id, data }, last);
  }
}

/** Whether this opening of the database may begin an epoch: not in another log, and not twice. */
function mayFollow({ logId, epochs }: EpochRecord, state: SqliteDirectoryLog): boolean {
  return logId === state.logId && epochs.every(([epoch]) => epoch !== state.epoch);
}

/** Keeps a database under another name, in the place of the one that was set aside before. */
async function setAside(path: string): Promise<void> {
  for (const suffix of ["", "-wal", "-shm"]) {
    await rename(`${path}${suffix}`, `${path}.set-aside${suffix}`).catch((cause: unknown) => {
      if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
    });
  }
}
