/** What a connected client can do. */
import type { Acknowledgement, AckLevel } from "@meridian/protocol";

import type { CircuitState } from "./circuit.ts";
import type { NodeInfo } from "./directory.ts";

/** What every call takes. */
export interface CallOptions {
  /** Ends the call early; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long the call may take, all attempts together, in milliseconds from 1 to 600 000. Default: the client's. */
  readonly deadlineMs?: number | undefined;
}

/** What every write takes. */
export interface WriteOptions extends CallOptions {
  /** Default `local`. */
  readonly ack?: AckLevel | undefined;
  /**
   * How long to wait for that acknowledgement: text with a unit, such as `10s`. Default 5 s, at most 60 s. The
   * deadline of the call is extended by it unless given.
   */
  readonly timeout?: string | undefined;
  /** The same in milliseconds, instead of `timeout`. */
  readonly timeoutMs?: number | undefined;
  /** Write only where the node's newest entry has this etag. */
  readonly ifMatch?: string | undefined;
}

/** What `set` takes. */
export interface SetOptions extends WriteOptions {
  /** How long the value lives: text with a unit, such as `60s` or `15m`. Default: for ever. */
  readonly ttl?: string | undefined;
  /** The same in milliseconds, instead of `ttl`. */
  readonly ttlMs?: number | undefined;
  /** Default `application/json`; `application/octet-stream` for a `Uint8Array`. */
  readonly contentType?: string | undefined;
  /** Write only where the key has no live value on the node. */
  readonly ifAbsent?: boolean | undefined;
}

/** One value of `setMany`. */
export interface SetEntry extends Pick<SetOptions, "ttl" | "ttlMs" | "contentType"> {
  readonly key: string;
  readonly value: unknown;
}

/** What `keys` takes. `deadlineMs` bounds each page. */
export interface KeysOptions extends CallOptions {
  /** Only keys that begin with this. */
  readonly prefix?: string | undefined;
  /** Only keys after this one. */
  readonly after?: string | undefined;
  /** How many keys are asked for at once, 1 to 1000. Default 100. */
  readonly pageSize?: number | undefined;
}

/** A value as it is stored. */
export interface RawEntry {
  readonly value: Uint8Array;
  readonly contentType: string;
  /** Names this version of the value; for `ifMatch`. */
  readonly etag: string;
  /** When it stops being live, in milliseconds since the Unix epoch; undefined for never. */
  readonly expiresAtMs: number | undefined;
}

/** A key with a live value. */
export interface KeyInfo extends Omit<RawEntry, "value"> {
  readonly key: string;
  /** The size of the value. */
  readonly bytes: number;
}

/** An entry that was written. */
export interface Written {
  readonly key: string;
  readonly etag: string;
  readonly expiresAtMs: number | undefined;
}

/** A value was set. */
export interface SetResult extends Written {
  readonly acknowledged: Acknowledgement;
}

/** Values were set, all or none. */
export interface SetManyResult {
  readonly entries: readonly Written[];
  readonly acknowledged: Acknowledgement;
}

/** A key was deleted. */
export interface DeleteResult {
  readonly key: string;
  readonly etag: string;
  /** Whether the key had a live value; undefined where an earlier attempt without an answer may have deleted it. */
  readonly deleted: boolean | undefined;
  readonly acknowledged: Acknowledgement;
}

/** A node, and whether this client sends requests to it. */
export interface KnownNode extends NodeInfo {
  /** `closed`: yes; `open`: not for now, it failed; `half-open`: one at a time, it says that it is ready again. */
  readonly circuit: CircuitState;
}

/**
 * A client of a Meridian cluster. It talks to the nearest node; when that one fails, to the next, within two
 * seconds; and goes back once it has been ready again for some time. What this client has written or read, it never sees an older state
 * of, whichever node answers.
 *
 * Every method rejects with a `MeridianError`: that of the server, or `NO_READY_NODE` where no node answered within
 * the deadline, `POSITION_NOT_REACHED` where none had caught up with this client, `INVALID_ARGUMENT`, `INVALID_KEY`,
 * `INVALID_TTL` or `UNKNOWN_OPTION` for what is wrong in the call. Reads, and writes without a condition, are repeated on
 * another node when one gives no answer; an error of a write that may nevertheless have been applied has
 * `details.mayHaveBeenApplied`. A write with a condition that may have been applied is not repeated: `OUTCOME_UNKNOWN`.
 */
export interface MeridianClient {
  /**
   * The value of `key`, or undefined if it has none: JSON values as they were set, `text/*` as a string, anything else as a
   * `Uint8Array`. `T` is what the caller knows of it; nothing checks it. Throws `INVALID_BODY` if the stored
   * bytes are not what their content type says.
   */
  get<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined>;
  /** The stored bytes of `key` and what is known of them, or undefined if it has none. */
  getRaw(key: string, options?: CallOptions): Promise<RawEntry | undefined>;
  /** The values of those of `keys` that have one. Any number of keys; asked for by the thousand. */
  getMany<T = unknown>(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, T>>;
  /** Whether `key` has a value. */
  has(key: string, options?: CallOptions): Promise<boolean>;
  /**
   * Sets the value of `key`: any JSON value, or bytes. Throws `PRECONDITION_FAILED` where `ifAbsent` or `ifMatch` does not
   * hold, `ACK_TIMEOUT` (with `details.acknowledged`) where the value is stored but not yet as widely as asked.
   */
  set(key: string, value: unknown, options?: SetOptions): Promise<SetResult>;
  /** Sets up to 1000 values in one commit, all or none. Errors as in `set`. */
  setMany(entries: Iterable<SetEntry>, options?: SetManyOptions): Promise<SetManyResult>;
  /** Deletes `key`, whether or not it has a value. Errors as in `set`. */
  delete(key: string, options?: WriteOptions): Promise<DeleteResult>;
  /** The keys that have a value, in key order, as the nodes hold them while the iteration goes on. */
  keys(options?: KeysOptions): AsyncGenerator<KeyInfo, void, undefined>;
  /** The nodes this client knows, the one in use first. */
  readonly nodes: readonly KnownNode[];
  /** The URL of the directory that answered last; undefined for a client that asks none. */
  readonly directory: string | undefined;
  /**
   * Forgets what this client has seen: the next answer may be older. The way out where a node that alone had
   * this client's last write is lost, and every other answers `POSITION_NOT_REACHED`.
   */
  forgetPosition(): void;
  /** Ends calls under way (they reject) and everything in the background. Calling it again does nothing. */
  close(): void;
}

/** What `setMany` takes. */
export type SetManyOptions = Omit<WriteOptions, "ifMatch">;
