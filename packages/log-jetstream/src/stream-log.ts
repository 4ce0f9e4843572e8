/**
 * The log of a directory in a stream, with SQLite as the state made from it.
 *
 * Everything that the directory makes durable is a record in the stream: frames, admitted stamps, the state of the horizon, members, and the begin of
 * each epoch. A record is durable when the stream has acknowledged its last message; then it is applied to the SQLite log, in the order of the
 * stream and in one transaction with its place there. So the SQLite log never has anything that the stream does not, and whoever reads the
 * stream from its start has the same log: the same id, sequences, epochs and marks.
 *
 * What is purged is not in the stream. It follows from the horizon, and a log that has purged less misses nothing.
 *
 * Invariant: what the SQLite log has ≤ what the stream has acknowledged ≤ what was appended.
 */
import type {
  DirectoryLog,
  Done,
  EntryMark,
  LogDoubt,
  LogRecord,
  SummaryPage,
} from "@meridian/ports";
import {
  asMeridianError,
  MeridianError,
  type Cursor,
  type Entry,
  type HorizonState,
  type LogFrame,
  type OutboxMark,
  type RememberedMember,
  type Summary,
} from "@meridian/protocol";
import type { Clock, Logger } from "@meridian/runtime";
import type { SqliteDirectoryLog, StreamPlace } from "@meridian/store";

import { delay } from "./delay.ts";
import type { LogState, StateFolder } from "./log-state.ts";
import type { LogStream } from "./log-stream.ts";
import { RecordPacker } from "./record-packer.ts";
import { encodeEpoch, encodeRecord, type EpochRecord } from "./records.ts";
import { RelayHost, type RelayHostEvents } from "./relay-host.ts";
import { ALL_STREAM_RULES, type StreamRules } from "./rules.ts";
import { SnapshotKeeper, type SnapshotNews } from "./snapshot-keeper.ts";
import type { SnapshotStream } from "./snapshot-stream.ts";
import { StreamWriter, type Stored } from "./stream-writer.ts";

/** How long `close` waits for the stream to take what was appended. */
const CLOSE_MS = 5_000;

const CLOSE_STEP_MS = 20;

/** How long it may take to say that this directory writes no more. */
const GONE_MS = 500;

/** A standby asks several times a second whether there is a writer. One that has asked within this time before the last answer of the stream was there. */
const STANDBY_MS = 10_000;

/** An open log and what it is made of. */
export interface StreamLogParts<State extends LogState> {
  readonly stream: LogStream;
  /** It has everything that counts in the stream through `last`, the begin of this log's epoch included. */
  readonly state: State;
  readonly last: StreamPlace;
  /** The begin of this log's epoch. */
  readonly record: EpochRecord;
  readonly snapshots: SnapshotStream;
  /** Where the state is. */
  readonly folder: StateFolder<State>;
  /** By how many bytes the stream grows at least before the next snapshot is kept. */
  readonly snapshotBytes: number;
  /** The highest stamp time in what was read from the stream when the log was opened. */
  readonly highestTime: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called once when nothing can be made durable any more. End the process. */
  readonly onLost: (failure: MeridianError) => void;
  /** See `OpeningOptions`. */
  readonly onCutOff?: ((why: MeridianError) => void) | undefined;
  readonly rules?: StreamRules | undefined;
}

/** Applies a record to the state, with its place in the stream. */
export function applyRecord(
  state: LogState,
  record: LogRecord,
  place: StreamPlace,
  done: Done,
): void {
  switch (record.kind) {
    case "frame": {
      const { kind: _, ...frame } = record;
      return state.append(frame, done, place);
    }
    case "admit":
      return state.admit(record.time, done, place);
    case "horizon":
      return state.saveHorizon(record.state, done, place);
    case "doubt":
      return state.saveDoubt(record.doubt, done, place);
    case "members":
      return state.remember(record.members, record.dropped, done, place);
  }
}

/** The directory's durable state: its log is in a stream. */
export class StreamLog<State extends LogState = SqliteDirectoryLog> implements DirectoryLog {
  readonly logId: number;
  readonly epoch: number;
  readonly epochs: readonly (readonly [epoch: number, after: number])[];
  readonly highestTime: number;
  /** What is made from the stream. Only this class writes it. */
  readonly state: State;
  readonly #stream: LogStream;
  readonly #clock: Clock;
  readonly #writer: StreamWriter;
  readonly #packer: RecordPacker;
  readonly #keeper: SnapshotKeeper;
  readonly #onCutOff: StreamLogParts<State>["onCutOff"];
  #appendedThrough: number;
  /** How many records were appended. */
  #records = 0;
  /** When another directory has last asked whether there is a writer. */
  #askedAtMs = -Infinity;
  #abandonRestating: (failure: MeridianError) => void = () => {};
  /** What may be purged once record `after` of this log is applied: an older entry in one before it would come back. */
  #permitted:
    | { readonly horizon: number; readonly through: number; readonly after: number }
    | undefined;
  #closed: Promise<void> | undefined;

  constructor(parts: StreamLogParts<State>) {
    const { stream, state, last, record, highestTime, clock, logger, onLost } = parts;
    const { snapshots, folder, snapshotBytes, onCutOff, rules = ALL_STREAM_RULES } = parts;
    this.state = state;
    this.logId = state.logId;
    this.epoch = state.epoch;
    this.epochs = record.epochs;
    this.highestTime = Math.max(state.highestTime, highestTime);
    this.#stream = stream;
    this.#clock = clock;
    this.#appendedThrough = state.committedThrough;
    const { epoch } = this;
    this.#onCutOff = onCutOff;
    const leave = (sinceMs: number): void => this.#leave(sinceMs);
    const writing = { stream, clock, logger, epoch, last, onLost, onCutOff: leave, rules };
    this.#writer = new StreamWriter(writing);
    const restate = async (): Promise<void> => {
      if (rules.beginsAreSaidAgain) await this.#restate(record);
    };
    const keeping = { stream, snapshots, log: state, folder, restate, snapshotBytes };
    const { isMoved } = record;
    this.#keeper = new SnapshotKeeper({ ...keeping, isMoved, rules, clock, logger });
    this.#packer = new RecordPacker(this.#writer, (bytes) => this.#keeper.grow(bytes));
    // Where no snapshot has what the stream lacks, only data folders have it, perhaps only this one.
    this.#keeper.grow(0);
  }

  get committedThrough(): number {
    return this.state.committedThrough;
  }

  get admittedTime(): number {
    return Math.max(this.state.admittedTime, this.highestTime);
  }

  get followed(): readonly Cursor[] {
    return this.state.followed;
  }

  get compared(): readonly Cursor[] {
    return this.state.compared;
  }

  get horizonState(): HorizonState {
    return this.state.horizonState;
  }

  get doubt(): LogDoubt | null {
    return this.state.doubt;
  }

  get purgedThrough(): number {
    return this.state.purgedThrough;
  }

  get members(): readonly RememberedMember[] {
    return this.state.members;
  }

  get stall(): MeridianError | undefined {
    return this.#writer.stall ?? this.state.stall;
  }

  /** How the keeping of snapshots goes. */
  get snapshots(): SnapshotNews {
    return this.#keeper.news;
  }

  outboxMark(incarnation: number): OutboxMark | undefined {
    return this.state.outboxMark(incarnation);
  }

  append(frame: LogFrame, done: Done): void {
    const { after, through, count } = frame;
    if (after !== this.#appendedThrough || after + count > through) {
      const said = `Expected a frame of ${count} entries after ${this.#appendedThrough}, got one from ${after} through ${through}`;
      throw new MeridianError("INTERNAL", said);
    }
    // The block is a part of bytes that belong to others once they are durable.
    this.#write({ kind: "frame", ...frame, block: new Uint8Array(frame.block) }, done);
    this.#appendedThrough = through;
  }

  admit(time: number, done: Done): void {
    this.#write({ kind: "admit", time }, done);
  }

  saveHorizon(state: HorizonState, done: Done): void {
    this.#write({ kind: "horizon", state }, done);
  }

  saveDoubt(doubt: LogDoubt | null, done: Done): void {
    this.#write({ kind: "doubt", doubt }, done);
  }

  remember(members: readonly RememberedMember[], dropped: readonly string[], done: Done): void {
    this.#write({ kind: "members", members, dropped }, done);
  }

  read(after: number, bytesMax: number): readonly LogFrame[] {
    return this.state.read(after, bytesMax);
  }

  settle(done: Done): void {
    this.state.settle(done);
  }

  get mergedThrough(): number {
    return this.state.mergedThrough;
  }

  /** Appends a record that changes nothing: another writer would have kept it out of the stream. */
  confirm(done: Done): void {
    this.admit(this.admittedTime, done);
  }

  purge(horizon: number, through: number): void {
    this.#permitted = { horizon, through, after: this.#records };
    if (this.#packer.waiting === 0) this.#purgeAfter(this.#records);
  }

  summariesAfter(key: string | null, limit: number, horizon?: number): readonly Summary[] {
    return this.state.summariesAfter(key, limit, horizon);
  }

  summaryPage(key: string | null, limit: number, horizon?: number): SummaryPage {
    return this.state.summaryPage(key, limit, horizon);
  }

  get(key: string): Entry | undefined {
    return this.state.get(key);
  }

  peek(key: string): EntryMark | undefined {
    return this.state.peek(key);
  }

  /** Takes in the links of nodes that other directories serve. Returns what ends it. */
  takeLinks(events: RelayHostEvents, logger: Logger): () => void {
    const { relays: wire } = this.#stream;
    if (wire === undefined) return () => {};
    const committedThrough = (): number => this.committedThrough;
    const { epoch } = this;
    const parts = { ...events, wire, epoch, clock: this.#clock, logger, committedThrough };
    const host = new RelayHost(parts);
    host.start();
    return () => host.stop();
  }

  /** Another directory has asked whether this one writes. */
  onAsked(): void {
    this.#askedAtMs = this.#clock.elapsedMs();
  }

  /** Waits until the stream has taken what was appended, for some seconds at most, and lets go of stream and files. */
  close(): Promise<void> {
    this.#closed ??= this.#drain()
      .then(() => this.#sayGone())
      .then(() => this.#release(() => this.state.close()));
    return this.#closed;
  }

  /** Stops at once: what is not durable is given up, without a call of its `done`. */
  abort(): Promise<void> {
    this.#closed ??= this.#release(() => this.state.abort());
    return this.#closed;
  }

  async #drain(): Promise<void> {
    for (let restMs = CLOSE_MS; this.#packer.waiting > 0 && restMs > 0; restMs -= CLOSE_STEP_MS) {
      await delay(this.#clock, CLOSE_STEP_MS);
    }
  }

  /** Where everything that was appended is stored, another directory need not wait for this one. */
  async #sayGone(): Promise<void> {
    if (this.#packer.waiting > 0 || this.stall !== undefined) return;
    const said = this.#stream.sayGone(this.epoch).catch(() => {});
    await Promise.race([said, delay(this.#clock, GONE_MS)]);
  }

  async #release(end: () => Promise<void>): Promise<void> {
    this.#writer.stop();
    // A writer that was stopped calls nobody back, and the keeper waits for this.
    this.#abandonRestating(new MeridianError("STORE_FAILED", "The log is closed"));
    await Promise.all([this.#keeper.stop(), this.#stream.close()]);
    await end();
  }

  #write(record: LogRecord, done: Done): void {
    this.#records += 1;
    const index = this.#records;
    this.#packer.append(encodeRecord(record), (failure, place) => {
      if (failure !== undefined) return done(failure);
      this.#apply(record, place, done);
      this.#purgeAfter(index);
    });
  }

  /** Appends the begin of this log's epoch again. */
  #restate(record: EpochRecord): Promise<void> {
    return new Promise((resolve, reject) => {
      const done: Done = (failure) => (failure === undefined ? resolve() : reject(failure));
      this.#abandonRestating = reject;
      const stored: Stored = (failure, place) => {
        if (failure !== undefined) return done(failure);
        this.state.saveEpochs(record.epochs, done, place);
      };
      this.#writer.append(encodeEpoch(record), stored, "epoch");
    });
  }

  #apply(record: LogRecord, place: StreamPlace, done: Done): void {
    const applied: Done = (failure) => {
      // The stream has what the state lacks. Only a new start, which reads it again, makes them equal.
      if (failure !== undefined) this.#writer.lose(failure);
      done(failure);
    };
    try {
      applyRecord(this.state, record, place, applied);
    } catch (cause) {
      applied(asMeridianError(cause));
    }
  }

  /** The stream has given no answer since `sinceMs`. Without a standby, nodes have nowhere else to go. */
  #leave(sinceMs: number): void {
    if (sinceMs - this.#askedAtMs > STANDBY_MS) return;
    const seconds = Math.round((this.#clock.elapsedMs() - sinceMs) / 1_000);
    const said = `The stream of the log has not answered for ${seconds} s, and a directory that stood by may write it by now`;
    this.#onCutOff?.(new MeridianError("GOING_AWAY", said));
  }

  #purgeAfter(record: number): void {
    if (this.#permitted === undefined || record < this.#permitted.after) return;
    const { horizon, through } = this.#permitted;
    this.#permitted = undefined;
    this.state.purge(horizon, through);
  }
}
