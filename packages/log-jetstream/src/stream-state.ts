/**
 * Opens the SQLite log that belongs to a stream: the one in the data folder, or one that is made from a snapshot, or an empty one.
 *
 * The one in the folder belongs to the stream if the stream still has the last message that it knows. If there is another message, or none, the
 * stream was set back to an older state or begun anew; if the stream begins behind it, the directory was away while others trimmed the stream. Then it is
 * set aside. The database of a snapshot belongs to the stream by the same rule.
 *
 * A log that is in no stream moves into one that is empty: the begin of its next epoch is the first message, and a snapshot has what was before.
 */
import { MeridianError } from "@meridian/protocol";
import type { Clock, Logger } from "@meridian/runtime";

import { delay } from "./delay.ts";
import type { LogState, StateFolder } from "./log-state.ts";
import type { LogStream } from "./log-stream.ts";
import { BEHIND_MS, lookFor, STEP_MS } from "./place-in-stream.ts";
import type { EpochRecord } from "./records.ts";
import { isOfStream, type KeptSnapshot, type SnapshotStream } from "./snapshot-stream.ts";

/** What a state is made from. */
export interface StateOptions<State extends LogState> {
  readonly stream: LogStream;
  readonly snapshots: SnapshotStream;
  readonly folder: StateFolder<State>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What the newest epoch of the stream says; undefined if the stream has none. */
  readonly newest: EpochRecord | undefined;
  /** The id of the log, if it is created now. */
  readonly logId: number;
}

type Relation = "of the stream" | "moving" | "empty" | "too old" | "of another";

/** What to do about streams of which this directory can make no log. */
const KEEP =
  "Keep both streams and all data folders, any of which may be the only whole copy: start first the directory whose data folder has the log, or put both streams back to one moment";

/** Opens the SQLite log of a stream. Rejects with `STORE_CORRUPT` if neither stream nor snapshot has the oldest messages. */
export async function openState<State extends LogState>(
  options: StateOptions<State>,
): Promise<State> {
  const { snapshots, folder, logger, logId } = options;
  const [state, relation] = await openRelated(options);
  if (relation === "of the stream" || relation === "moving") return state;
  let snapshot: KeptSnapshot | undefined;
  try {
    snapshot = await neededSnapshot(options);
    if (snapshot === undefined && options.newest?.isMoved === true) throw unmoved();
    if (snapshot === undefined && relation === "empty") return state;
  } catch (failure) {
    await state.close();
    throw failure;
  }
  await state.close();
  if (relation !== "empty") {
    const why =
      relation === "too old"
        ? "the stream was trimmed while this data folder was away"
        : "the stream does not have what this data folder has of it";
    const said = "the database is set aside, and made anew from the stream";
    logger.warn(said, { why, database: folder.name });
    await folder.setAside();
  }
  if (snapshot === undefined) return folder.open(logId);
  await snapshots.fetch(snapshot, () => folder.receive());
  logger.info("the database is made from a snapshot", { bytes: snapshot.bytes });
  const [refilled, found] = await openRelated(options);
  if (found === "of the stream") return refilled;
  await refilled.close();
  // The database that was set aside before stays: it may have what nothing else has.
  await folder.drop();
  if (found === "too old") {
    const said = "The stream was trimmed behind a newer snapshot while this one was fetched";
    throw new MeridianError("STORE_FAILED", said);
  }
  // The stream was set back since it was asked for the place of the snapshot; asked again, it says so.
  const said = `The snapshot as of message ${snapshot.place.sequence} has more than the stream, which was set back to an older state than the snapshots. ${KEEP}`;
  throw new MeridianError("STORE_FAILED", said);
}

async function openRelated<State extends LogState>(
  options: StateOptions<State>,
): Promise<[State, Relation]> {
  const { folder, logId } = options;
  const state = await folder.open(logId);
  try {
    return [state, await relationOf(state, options)];
  } catch (failure) {
    await state.close();
    throw failure;
  }
}

async function relationOf(
  state: LogState,
  { stream, snapshots, folder, clock, logId, newest }: StateOptions<LogState>,
): Promise<Relation> {
  const { place, committedThrough } = state;
  if (place === undefined) {
    if (committedThrough === 0 && state.members.length === 0) {
      return state.logId === logId ? "empty" : "of another";
    }
    const { last } = await stream.bounds();
    const isEmpty = last === 0 && (await snapshots.newest()) === undefined;
    // The process died between the first message and the note of it.
    const isBegun = last === 1 && newest !== undefined && hasBegun(state, newest);
    if (isEmpty || isBegun) return "moving";
    const said = `${folder.name} has a log that is in no stream, and the streams of this cluster are not empty. To use what is in the streams, move this data folder away and start with an empty one. Only if nothing in the streams is needed, delete both: then this log moves into them`;
    throw new MeridianError("INVALID_CONFIG", said);
  }
  if (state.logId !== logId) return "of another";
  const found = await lookFor(place, stream, clock);
  if (found === "trimmed") return "too old";
  return found === "there" ? "of the stream" : "of another";
}

/** The newest snapshot that belongs to the stream; undefined if there is none and the stream has everything. */
async function neededSnapshot(options: StateOptions<LogState>): Promise<KeptSnapshot | undefined> {
  const { stream, clock } = options;
  // A server that lags behind may have the last snapshot but one, behind which the stream is trimmed.
  for (let restMs = BEHIND_MS; ; restMs -= STEP_MS) {
    const snapshot = await usableSnapshot(options);
    if (snapshot !== undefined) return snapshot;
    const { first } = await stream.bounds();
    // A stream that never had a message begins with 0.
    if (first <= 1) return undefined;
    if (restMs <= 0) throw missing(first);
    await delay(clock, STEP_MS);
  }
}

/** The newest snapshot, if it belongs to the stream. */
async function usableSnapshot(options: StateOptions<LogState>): Promise<KeptSnapshot | undefined> {
  const { stream, snapshots, clock, logId } = options;
  for (let found = await snapshots.newest(); found !== undefined;) {
    if (await isOfStream(found, { stream, clock, logId })) return found;
    // The writer may have kept another one since, and trimmed the stream behind it.
    const again = await snapshots.newest();
    if (again?.place.id === found.place.id) return undefined;
    found = again;
  }
  return undefined;
}

/** Whether the epoch that the stream begins with was begun by this database. */
function hasBegun(state: LogState, { logId, epochs }: EpochRecord): boolean {
  const epoch = epochs.at(-1)?.[0];
  return logId === state.logId && state.epochs.some(([own]) => own === epoch);
}

function unmoved(): MeridianError {
  const said =
    "A log was moved into the stream, and no snapshot of it is there yet. Start the directory whose data folder has it";
  return new MeridianError("STORE_FAILED", said);
}

function missing(first: number): MeridianError {
  const said = `The stream begins with message ${first}, and no snapshot that this version can read has what was before. ${KEEP}`;
  return new MeridianError("STORE_CORRUPT", said);
}
