/** What calls take and what they give. */
import type { Acknowledgement, AckLevel } from "@meridian/protocol";

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
export interface SetEntry<In = unknown> extends Pick<SetOptions, "ttl" | "ttlMs" | "contentType"> {
  readonly key: string;
  readonly value: In;
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

/** What `entries` takes. */
export interface EntriesOptions extends KeysOptions {
  /** Whether the values come, too. Default true. */
  readonly values?: boolean | undefined;
}

/** What `update` takes. */
export interface UpdateOptions
  extends WriteOptions, Pick<SetOptions, "ttl" | "ttlMs" | "contentType"> {
  readonly ifMatch?: undefined;
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

/** A key with its live value. */
export interface EntryInfo<Out> extends KeyInfo {
  /** Undefined where `values` is false. */
  readonly value: Out | undefined;
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

/** Keys were deleted. */
export interface DeleteManyResult {
  /** The keys that had a live value. */
  readonly deleted: readonly string[];
  readonly acknowledged: Acknowledgement;
}

/** What `setMany` takes. */
export type SetManyOptions = Omit<WriteOptions, "ifMatch">;
