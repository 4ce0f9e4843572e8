/**
 * Keeps the stream short: as soon as it has grown by as much as the last snapshot was large, the next one is kept, and the stream is trimmed behind it.
 * So a directory with an empty disk reads at most about twice the size of the database, and what snapshots cost stays in proportion to what is written.
 *
 * 1. The place of the database is noted, and then its file is copied, on another thread: the copy has everything through that place.
 * 2. The copy is put into the stream of snapshots, but for the message that says that it is whole.
 * 3. The begin of the epoch is said again, behind that place. An opening looks for the newest one. That it is stored shows that this directory still
 *    writes, and that the stream has the place: it may have been set back meanwhile, and then the older snapshot must stay the newest.
 * 4. The snapshot is said to be whole.
 * 5. The new one must be there, its place in the log, and the begin: the stream may have been set back since. Older snapshots are removed.
 * 6. The log's stream is trimmed: the message at the place stays, by which an opening knows that snapshot and stream belong together.
 *
 * Whatever fails in between, a whole snapshot and all behind it remain.
 */
import { asMeridianError, MeridianError } from "@meridian/protocol";
import type { Clock, Logger } from "@meridian/runtime";
import type { StreamPlace } from "@meridian/store";

import type { RunningCopy, StateCopy, StateFolder } from "./log-state.ts";
import type { LogStream } from "./log-stream.ts";
import type { StreamRules } from "./rules.ts";
import { isOfStream, type KeptSnapshot, type SnapshotStream } from "./snapshot-stream.ts";

/** What is kept, and how. */
export interface SnapshotKeeperOptions {
  readonly stream: LogStream;
  readonly snapshots: SnapshotStream;
  /** The log, and how far its database is. */
  readonly log: { readonly logId: number; readonly place: StreamPlace | undefined };
  /** Where the database is. */
  readonly folder: Pick<StateFolder, "copy">;
  /** Appends the begin of the epoch again. Resolves when it is durable. */
  readonly restate: () => Promise<void>;
  /** By how many bytes the stream has to grow at least. */
  readonly snapshotBytes: number;
  /** Whether the stream alone does not have the whole log, so that there must be a snapshot from the start on. */
  readonly isMoved: boolean;
  readonly rules: Pick<StreamRules, "beginsAreSaidAgain">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** After a failure, nothing is tried for so long. */
const RETRY_MS = 60_000;

/** How the keeping of snapshots goes. */
export interface SnapshotNews {
  /** When the last snapshot of this process was kept, in milliseconds since the Unix epoch; null before the first. */
  readonly keptAtMs: number | null;
  /** Why the last attempt failed, so that the stream goes on growing; null if it did not. */
  readonly failure: string | null;
}

/** Keeps snapshots of a log. */
export class SnapshotKeeper {
  readonly #options: SnapshotKeeperOptions;
  /** What the stream has behind the last snapshot, and what it may have; undefined until both were asked for. */
  #grown: number | undefined;
  #due = 0;
  #bytesMax = Infinity;
  #retryAtMs = 0;
  #current: Promise<void> | undefined;
  #copying: RunningCopy | undefined;
  #isStopped = false;
  #news: SnapshotNews = { keptAtMs: null, failure: null };

  constructor(options: SnapshotKeeperOptions) {
    this.#options = options;
  }

  get news(): SnapshotNews {
    return this.#news;
  }

  /** The stream has grown by so many bytes. */
  grow(bytes: number): void {
    if (this.#grown !== undefined) this.#grown += bytes;
    if (this.#current !== undefined || this.#isStopped) return;
    if (this.#grown !== undefined && this.#grown < this.#due) return;
    const { clock } = this.#options;
    if (clock.elapsedMs() < this.#retryAtMs) return;
    this.#current = this.#run()
      .catch((cause: unknown) => this.#fail(asMeridianError(cause)))
      .finally(() => (this.#current = undefined));
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#copying?.stop();
    await this.#current;
  }

  #fail({ message }: MeridianError): void {
    const { clock, logger } = this.#options;
    this.#retryAtMs = clock.elapsedMs() + RETRY_MS;
    if (this.#isStopped) return;
    this.#news = { ...this.#news, failure: message };
    logger.warn("no snapshot of the log could be kept, so its stream goes on growing", {
      error: message,
    });
  }

  async #run(): Promise<void> {
    const { stream, snapshots, snapshotBytes, isMoved } = this.#options;
    if (this.#grown === undefined) {
      const { first, bytes, bytesMax } = await stream.bounds();
      this.#bytesMax = bytesMax ?? Infinity;
      const newest = await snapshots.newest();
      // Then only data folders have what the stream lacks.
      const isMissing = (isMoved || first > 1) && !(await this.#isUsable(newest));
      this.#due = isMissing ? 0 : this.#dueAfter(newest?.bytes ?? 0, snapshotBytes);
      this.#grown = bytes;
      if (bytes < this.#due) return;
    }
    const before = this.#grown;
    const kept = await this.#keep();
    if (kept === undefined) return;
    this.#grown -= before;
    this.#due = this.#dueAfter(kept.bytes, snapshotBytes);
    this.#news = { keptAtMs: this.#options.clock.nowMs(), failure: null };
  }

  async #isUsable(newest: KeptSnapshot | undefined): Promise<boolean> {
    const { stream, clock, log } = this.#options;
    return newest !== undefined && isOfStream(newest, { stream, clock, logId: log.logId });
  }

  /** By how much the stream may grow behind a snapshot of so many bytes. A limit of the stream is not to be reached before the next one is kept. */
  #dueAfter(bytes: number, snapshotBytes: number): number {
    return Math.min(Math.max(snapshotBytes, bytes), this.#bytesMax / 2);
  }

  async #keep(): Promise<KeptSnapshot | undefined> {
    const { stream, snapshots, log, folder, restate, clock, logger } = this.#options;
    const { logId, place } = log;
    if (place === undefined) return undefined;
    const beganMs = clock.elapsedMs();
    let copy: StateCopy | undefined;
    try {
      this.#goOn();
      this.#copying = await folder.copy();
      copy = await this.#copying.done;
      const { bytes, sha256 } = copy;
      const facts = { logId, place, bytes, sha256 };
      const kept = await snapshots.keep(copy, facts, {
        goOn: () => this.#goOn(),
        confirm: restate,
        isOfStream: (snapshot) => isOfStream(snapshot, { stream, clock, logId }),
      });
      await this.#check(kept);
      await snapshots.trim(kept);
      // Each of the two is asked for right after the check: a stream that is set back in between loses what it was set back to.
      await this.#check(kept);
      this.#goOn();
      await stream.trim(place.sequence);
      const ms = Math.round(clock.elapsedMs() - beganMs);
      const first = place.sequence;
      logger.info("a snapshot of the log is kept, and its stream trimmed", { first, bytes, ms });
      return kept;
    } finally {
      this.#copying = undefined;
      await copy?.remove();
    }
  }

  /** Throws unless the streams have the snapshot, as the newest, its place in the log, and the begin of an epoch that is not trimmed with what is before. */
  async #check(kept: KeptSnapshot): Promise<void> {
    const { stream, snapshots, log, clock, rules } = this.#options;
    const isThere = await isOfStream(kept, { stream, clock, logId: log.logId });
    const begin = await stream.newestEpoch();
    const isBegun = begin !== undefined && begin.sequence >= kept.place.sequence;
    const isWhole = isBegun || !rules.beginsAreSaidAgain;
    const isNewest = (await snapshots.newest())?.place.id === kept.place.id;
    if (isThere && isWhole && isNewest) return;
    const said =
      "The snapshot that was kept, its place in the log, or a begin of the epoch behind that, is not there any more";
    throw new MeridianError("STORE_FAILED", said);
  }

  #goOn(): void {
    if (this.#isStopped) throw new MeridianError("STORE_FAILED", "The log is closed");
  }
}
