/**
 * Opens a log over a stream.
 *
 * 1. The SQLite log that belongs to the stream is opened: see `stream-state.ts`.
 * 2. Everything behind that message is read and applied.
 * 3. If another directory may still write, this one waits as a standby, and goes on reading, until nobody has answered for some seconds.
 * 4. The begin of a new epoch is published, under the condition that nothing was appended since 2. This is the one step that decides:
 *    from here on no message of an older writer counts.
 */
import { asMeridianError, MeridianError, type LogFrame } from "@meridian/protocol";
import { randomIdentity, type Clock, type Logger, type Random } from "@meridian/runtime";

import type { StreamPlace } from "@meridian/store";

import { delay } from "./delay.ts";
import { messageId } from "./lineage.ts";
import type { LogState, StateFolder } from "./log-state.ts";
import type { LogStream } from "./log-stream.ts";
import { decodeEpoch, encodeEpoch, type EpochRecord } from "./records.ts";
import { Replay } from "./replay.ts";
import type { StreamRules } from "./rules.ts";
import { SnapshotStream } from "./snapshot-stream.ts";
import { Standby, type FollowedLog, type StandbyServer } from "./standby.ts";
import { StreamLog } from "./stream-log.ts";
import { openState } from "./stream-state.ts";

/** How a log is opened over a stream. */
export interface OpeningOptions<State extends LogState> {
  readonly cluster: string;
  /** Where the state is that is made from the stream. */
  readonly folder: StateFolder<State>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  /** Called once when nothing can be made durable any more. End the process. */
  readonly onLost: (failure: MeridianError) => void;
  /** Called once if another directory writes the log, so that this one stands by. */
  readonly onStandby?: (() => void) | undefined;
  /**
   * Called when the stream has given no answer for so long that a standby, which asked shortly before, may have taken over, and where this is
   * one that serves nodes; and again while that lasts. Let nodes go: they keep what is not acknowledged.
   */
  readonly onCutOff?: ((why: MeridianError) => void) | undefined;
  /**
   * Begins to serve nodes while another directory writes the log, once the stream has been read. Without it, a standby serves nobody. Called anew
   * each time that the database has to be opened anew.
   */
  readonly serveBeside?: ((log: FollowedLog<State>) => Promise<StandbyServer>) | undefined;
  /** How long nobody may have answered before a standby takes over, in milliseconds. */
  readonly silenceMs?: number | undefined;
  /** By how many bytes the stream grows at least before the next snapshot is kept. */
  readonly snapshotBytes?: number | undefined;
  /** Default: all. Only simulations switch some off. */
  readonly rules?: StreamRules | undefined;
}

/** The stream of a log, and that of its snapshots. To close `stream` closes both. */
export interface LogStreams {
  readonly stream: LogStream;
  readonly snapshots: LogStream;
}

/** A machine that lost its network comes back, and a leader of the stream is replaced, within this time. */
const SILENCE_MS = 5_000;

const STEP_MS = 250;

/** Less than this is read by a directory with an empty disk in some seconds. */
const SNAPSHOT_BYTES = 64 * 1024 * 1024;

/** For how long a stream without a leader is waited for: several times what an election takes. */
const PATIENCE_MS = 30_000;

/** For how long a stream that cannot be read is asked again. */
const BEHIND_MS = 5_000;

/** The same while nodes are served: longer than the stream is without a leader. Then the nodes are let go, and each time that as much has passed again. */
const BEHIND_SERVING_MS = 20_000;

interface Begun<State extends LogState> {
  /** The stream has been read through here. */
  readonly last: StreamPlace;
  readonly state: State;
  readonly record: EpochRecord;
  readonly highestTime: number;
}

/** Opens a log over a stream. The streams belong to the log from here on. */
export async function openOverStream<State extends LogState>(
  { stream, snapshots }: LogStreams,
  options: OpeningOptions<State>,
): Promise<StreamLog<State>> {
  const { clock, logger, folder } = options;
  const { onLost, onCutOff, snapshotBytes = SNAPSHOT_BYTES, rules } = options;
  const kept = new SnapshotStream(snapshots);
  try {
    const begun = await new Opening(stream, kept, options).open();
    const parts = { stream, snapshots: kept, folder, snapshotBytes, clock, logger };
    const log = new StreamLog({ ...parts, ...begun, onLost, onCutOff, rules });
    stream.announce(log.epoch, () => log.onAsked());
    return log;
  } catch (failure) {
    await stream.close();
    throw failure;
  }
}

class Opening<State extends LogState> {
  readonly #stream: LogStream;
  readonly #snapshots: SnapshotStream;
  readonly #options: OpeningOptions<State>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Since when nobody has answered; undefined if somebody has, or nobody was asked since the stream could be read. */
  #silentSinceMs: number | undefined;
  #isStandby = false;
  /** The epoch of the directory that answered last that it writes; undefined if it does so no more. */
  #writer: number | undefined;
  /** The epoch whose writer has said last that it writes no more. */
  #gone: number | undefined;

  constructor(stream: LogStream, snapshots: SnapshotStream, options: OpeningOptions<State>) {
    this.#stream = stream;
    this.#snapshots = snapshots;
    this.#options = options;
    this.#clock = options.clock;
    this.#logger = options.logger;
    stream.hearGone((epoch) => {
      this.#gone = epoch;
    });
  }

  async open(): Promise<Begun<State>> {
    for (;;) {
      const state = await this.#openPatiently();
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

  /** A standby outlives the time in which the stream has no leader, or in which a snapshot that it fetches gives way to the next one. */
  async #openPatiently(): Promise<State> {
    for (const beganAtMs = this.#clock.elapsedMs(); ;) {
      try {
        return await this.#openState();
      } catch (cause) {
        const failure = asMeridianError(cause);
        const isOver = this.#clock.elapsedMs() - beganAtMs >= PATIENCE_MS;
        if (isOver || failure.code !== "STORE_FAILED") throw failure;
        this.#logger.debug("the database could not be opened yet", { why: failure.message });
      }
      await delay(this.#clock, STEP_MS);
    }
  }

  async #openState(): Promise<State> {
    const { folder, clock, logger, random } = this.#options;
    const newest = await this.#newestPatiently();
    const logId = newest?.logId ?? randomIdentity(random);
    const [stream, snapshots] = [this.#stream, this.#snapshots];
    try {
      return await openState({ stream, snapshots, folder, clock, logger, newest, logId });
    } catch (cause) {
      // Another directory may have begun the log meanwhile: then its snapshots seemed to be those of a log that is not the stream's.
      if ((await this.#newest())?.record.logId === newest?.logId) throw cause;
      const said = "Another log was begun in the stream while this directory looked at it";
      throw new MeridianError("STORE_FAILED", said, { cause });
    }
  }

  /** A server that lags behind may have messages, and not know the begin yet. To believe it would set aside a database that is the stream's. */
  async #newestPatiently(): Promise<EpochRecord | undefined> {
    for (let restMs = BEHIND_MS; ; restMs -= STEP_MS) {
      const newest = (await this.#newest())?.record;
      if (newest !== undefined || restMs <= 0) return newest;
      if ((await this.#stream.bounds()).last === 0) return undefined;
      await delay(this.#clock, STEP_MS);
    }
  }

  /** Reads the stream, and serves nodes while another directory writes it, until this one has begun an epoch. See `#beginBeside`. */
  async #begin(state: State): Promise<Begun<State> | undefined> {
    const { serveBeside: serve, clock, logger, random, rules } = this.#options;
    const standby = new Standby({ stream: this.#stream, state, clock, logger, random, serve });
    const onFrame = (frame: LogFrame): void => standby.onFrame(frame);
    const replay = new Replay(this.#stream, state, onFrame, rules);
    let begun: Begun<State> | undefined;
    try {
      begun = await this.#beginBeside(standby, replay, state);
    } finally {
      await standby.end(begun !== undefined);
    }
    return begun;
  }

  /**
   * Reads the stream to its end and begins an epoch. Resolves to undefined if the stream is that of another log by now, has lost what was read of
   * it: then all begins anew. So it does if the stream cannot be reached, as long as nobody is served. A directory that serves waits for the stream,
   * and goes on saying who is there.
   */
  async #beginBeside(
    standby: Standby<State>,
    replay: Replay,
    state: State,
  ): Promise<Begun<State> | undefined> {
    let reachedAtMs = this.#clock.elapsedMs();
    for (;;) {
      const { isServing } = standby;
      const restMs = this.#clock.elapsedMs() - reachedAtMs;
      if (restMs >= (isServing ? BEHIND_SERVING_MS : BEHIND_MS)) {
        if (!isServing || (await this.#isAnswered())) return undefined;
        reachedAtMs = this.#clock.elapsedMs();
      }
      try {
        if (await this.#follow(standby, replay)) {
          reachedAtMs = this.#clock.elapsedMs();
          await delay(this.#clock, STEP_MS);
          continue;
        }
        const last = await replay.run();
        if (last === undefined) return this.#beginAnew();
        const newest = await this.#newest();
        reachedAtMs = this.#clock.elapsedMs();
        if (newest?.record.epochs.at(-1)?.[0] === state.epoch && newest.sequence <= last) {
          await this.#noteOwn(state.epoch);
          return {
            last: replay.read,
            state,
            record: newest.record,
            highestTime: replay.highestTime,
          };
        }
        if (newest !== undefined && !mayFollow(newest.record, state)) return undefined;
        if (await this.#mayBegin(newest?.record)) {
          await this.#publishEpoch(state, newest?.record, last);
          continue;
        }
      } catch (cause) {
        const failure = asMeridianError(cause);
        if (failure.code !== "STORE_FAILED") throw failure;
        this.#logger.debug("the stream could not be opened yet", { why: failure.message });
        // Whoever was not asked meanwhile was not silent.
        this.#silentSinceMs = undefined;
        // What could not be followed is read to the end before it is followed again.
        this.#writer = undefined;
      }
      await delay(this.#clock, STEP_MS);
    }
  }

  /**
   * Whether servers tell where the stream stands. If not, nodes are better off with another directory, and the database cannot be made anew. A
   * server that was started on a full disk says that there is no stream, until it is started again.
   */
  async #isAnswered(): Promise<boolean> {
    try {
      await this.#stream.bounds();
      return true;
    } catch (cause) {
      const { message } = asMeridianError(cause);
      const said = `The stream of the log has not been read for ${BEHIND_SERVING_MS / 1_000} s: ${message}`;
      this.#options.onCutOff?.(new MeridianError("GOING_AWAY", said));
      return false;
    }
  }

  /** What was trimmed or lost does not come back, however long one waits. A snapshot has it, and to fetch that may take long. */
  #beginAnew(): undefined {
    this.#logger.info("the stream was trimmed before this directory had read it, or was set back");
    this.#silentSinceMs = undefined;
    this.#writer = undefined;
    return undefined;
  }

  /**
   * Whether another directory writes the stream, and this one follows it. Throws why the stream cannot be followed.
   */
  async #follow(standby: Standby<State>, replay: Replay): Promise<boolean> {
    // Before it is known that a directory has written, there is none to follow.
    const isKnown = this.#writer !== undefined;
    const isGone = isKnown && this.#writer === this.#gone;
    if (isGone) standby.lose();
    const writer = isKnown && !isGone ? await this.#stream.writer() : undefined;
    if (writer === undefined || writer.epoch !== this.#writer) {
      await standby.pause();
      return false;
    }
    await standby.follow(replay, writer.epoch);
    return true;
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

  async #mayBegin(newest: EpochRecord | undefined): Promise<boolean> {
    const epoch = newest?.epochs.at(-1)?.[0];
    // The last writer had this folder's database open, which only one process can.
    if (
      epoch === undefined ||
      epoch === this.#gone ||
      (await this.#options.folder.ownEpoch()) === epoch
    )
      return true;
    const writer = await this.#stream.writer();
    // One that has lost the stream, and does not know it yet, may answer first.
    const isNewest = writer?.epoch === epoch || writer?.epoch === 0;
    this.#writer = isNewest ? writer?.epoch : undefined;
    if (writer !== undefined) {
      this.#silentSinceMs = undefined;
      this.#standBy();
      return false;
    }
    const { silenceMs = SILENCE_MS } = this.#options;
    const nowMs = this.#clock.elapsedMs();
    this.#silentSinceMs ??= nowMs;
    return nowMs - this.#silentSinceMs >= silenceMs;
  }

  #standBy(): void {
    if (this.#isStandby) return;
    this.#isStandby = true;
    this.#logger.info("another directory writes the log; this one stands by");
    this.#options.onStandby?.();
  }

  /** Without the note, the next start waits as a standby does. */
  async #noteOwn(epoch: number): Promise<void> {
    await this.#options.folder.noteEpoch(epoch).catch((cause: unknown) => {
      this.#logger.warn("the epoch could not be noted", { error: String(cause) });
    });
  }

  async #publishEpoch(state: State, newest: EpochRecord | undefined, last: number): Promise<void> {
    const { logId, epoch, committedThrough, members } = state;
    const begun = [epoch, committedThrough] as const;
    // The first message continues a log that was in the data folder before, with all its epochs.
    const epochs = newest === undefined ? state.epochs : [...newest.epochs, begun];
    const isMoved = newest?.isMoved ?? (committedThrough > 0 || members.length > 0);
    if (newest === undefined && isMoved) {
      this.#logger.info("the log of the data folder moves into the stream", { committedThrough });
    }
    const data = encodeEpoch({ cluster: this.#options.cluster, logId, epochs, isMoved });
    const id = messageId({ epoch, number: 0, sequence: last + 1 });
    await this.#stream.publish({ subject: "epoch", id, data }, last);
  }
}

/** Whether this opening of the database may begin an epoch: not in another log, and not twice. */
function mayFollow({ logId, epochs }: EpochRecord, state: LogState): boolean {
  return logId === state.logId && epochs.every(([epoch]) => epoch !== state.epoch);
}
