/**
 * Knows whether the disk accepts the records of a replica's store, and notices when it does again.
 *
 * Two things are told apart. A *stall*: what others wrote cannot be made durable, so the node falls behind. A *shortage*: sets of clients are
 * refused, and the node is not the one to be sent to. Every stall is a shortage. Both begin with a failure, or when so little room
 * is measured that the next set will be refused; both end only when a trial has succeeded and there is
 * clearly more room than is needed, so that the status does not flicker.
 */
import { MeridianError } from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";
import { diskErrno } from "./disk.ts";
import type { Claim, DiskRoom } from "./disk-room.ts";
import { explain, isPassing, type Explained } from "./store-error.ts";
import type { WriterReply } from "./writer-messages.ts";

/** How often it is tried whether the disk takes anything again: first, and at most, in milliseconds. */
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 5_000;

/** A failure so soon after a trial that succeeded shows that the trial proves little, in milliseconds. */
const RELAPSE_MS = 10_000;

/** A trial writes no more than this, in bytes. */
const TRIAL_BYTES_MAX = 8 * 1024 * 1024;

/** The sizes of what could not be stored, in bytes of journal rows. */
export interface Refused {
  /** Of a client's set; 0 for none. */
  readonly setBytes: number;
  /** Of what others wrote; 0 for none. */
  readonly copyBytes: number;
}

const NOTHING: Refused = { setBytes: 0, copyBytes: 0 };

/** What the health of a store is judged by. */
export interface WriteHealthOptions {
  readonly path: string;
  readonly room: DiskRoom;
  readonly clock: Clock;
  /** Commits something that changes nothing; throws what SQLite throws. */
  tryCommit(): void;
  reply(reply: WriterReply<never>): void;
  /** The disk takes again what it did not take. */
  onRecovered(): void;
}

/** Knows what the disk of a replica's store takes. */
export class WriteHealth {
  readonly #options: WriteHealthOptions;
  #stall: MeridianError | undefined;
  #shortage: MeridianError | undefined;
  /** Something has failed since a trial last succeeded. */
  #isDoubtful = false;
  /** What has to fit before a shortage, and a stall, is over. */
  #refused = NOTHING;
  #retryMs = RETRY_FIRST_MS;
  #recoveredAtMs = -Infinity;
  #cancelRetry: (() => void) | undefined;

  constructor(options: WriteHealthOptions) {
    this.#options = options;
  }

  /** Whether the disk takes less than everything. */
  get isShort(): boolean {
    return this.#shortage !== undefined;
  }

  /** Takes note of a failure to write. */
  fail({ trouble, error }: Explained, { setBytes, copyBytes }: Refused = NOTHING): void {
    if (!isPassing(trouble)) return;
    // A record that was refused without an attempt says nothing about the disk.
    this.#isDoubtful ||= error.cause !== undefined;
    this.#refused = {
      setBytes: Math.max(this.#refused.setBytes, setBytes),
      copyBytes: Math.max(this.#refused.copyBytes, copyBytes),
    };
    const isRelapse = this.#now - this.#recoveredAtMs < RELAPSE_MS;
    if (this.#shortage === undefined) {
      this.#retryMs = isRelapse ? Math.min(RETRY_MAX_MS, this.#retryMs * 2) : RETRY_FIRST_MS;
    }
    this.look();
  }

  /** Looks how things stand, and says so if that is news. */
  look(): void {
    const before = this.#shortage;
    this.#options.room.measure(this.#now);
    const refusal = this.#isDoubtful ? this.#refusal() : undefined;
    if (refusal === undefined) this.#isDoubtful = false;
    this.#tell(refusal ?? this.#lackOfRoom(), refusal ?? this.#lackForSets());
    if (this.#shortage === undefined && before !== undefined) {
      this.#recoveredAtMs = this.#now;
      this.#options.onRecovered();
    }
    if (this.#shortage !== undefined) this.#lookAgain();
  }

  /** Looks no more. */
  close(): void {
    this.#cancelRetry?.();
  }

  get #now(): number {
    return this.#options.clock.elapsedMs();
  }

  #lookAgain(): void {
    this.#cancelRetry ??= this.#options.clock.after(this.#retryMs, () => {
      this.#cancelRetry = undefined;
      this.look();
    });
  }

  /** Why the disk takes nothing now, if that is so: as a file beside the database, or in it. */
  #refusal(): MeridianError | undefined {
    const { path } = this.#options;
    const bytes = Math.max(this.#refused.setBytes, this.#refused.copyBytes);
    const errno = diskErrno(path, bytes > 0 ? Math.min(TRIAL_BYTES_MAX, bytes) : undefined);
    try {
      if (errno !== undefined) return refusedWith(errno);
      this.#options.tryCommit();
      return undefined;
    } catch (cause) {
      return explain(cause, "write to the store", () => diskErrno(path)).error;
    }
  }

  /** Why what others wrote does not fit, if it did not and still does not. */
  #lackOfRoom(): MeridianError | undefined {
    const { copyBytes, setBytes } = this.#refused;
    if (copyBytes > 0 && !this.#hasRoom(copyBytes, "copy")) return noRoom();
    this.#refused = { setBytes, copyBytes: 0 };
    return undefined;
  }

  #lackForSets(): MeridianError | undefined {
    const { copyBytes, setBytes } = this.#refused;
    const isAmple = this.#options.room.isAmple(this.#shortage === undefined ? 0 : 1);
    if (copyBytes > 0 || !isAmple || !this.#hasRoom(setBytes, "set")) return noRoom();
    this.#refused = NOTHING;
    return undefined;
  }

  #hasRoom(bytes: number, claim: Claim): boolean {
    return this.#options.room.isFor(bytes, claim, this.#now);
  }

  #tell(stall: MeridianError | undefined, shortage: MeridianError | undefined): void {
    const isNews =
      stall?.message !== this.#stall?.message || shortage?.message !== this.#shortage?.message;
    this.#stall = stall;
    this.#shortage = shortage;
    if (!isNews) return;
    this.#options.reply({ kind: "health", stall: plain(stall), shortage: plain(shortage) });
  }
}

function refusedWith(errno: string): MeridianError {
  const cause = Object.assign(new Error(errno), { code: "SQLITE_IOERR" });
  return explain(cause, "write to the store", () => errno).error;
}

/** The failure of what was not even tried. */
export function noRoom(): MeridianError {
  const said =
    "Could not commit: what room is left is needed for what was taken, for deletes and for what others write";
  return new MeridianError("STORE_FULL", said);
}

function plain(failure: MeridianError | undefined): Pick<MeridianError, "code" | "message"> | null {
  return failure === undefined ? null : { code: failure.code, message: failure.message };
}
