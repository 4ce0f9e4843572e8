/** The options and results of calls. */
import type { Acknowledgement, AckLevel } from "@meridian/protocol";

/** The options of every call. */
export interface CallOptions {
  /** Ends the call early; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long the call may take, all attempts together, in milliseconds from 1 to 600 000. Default: the client's. */
  readonly deadlineMs?: number | undefined;
}

/** What a condition or a read goes by: `cluster` for the order of the whole cluster. Without it, what the node has. */
export type Scope = "cluster";

/** The options of `get` and `getRaw`. */
export interface ReadOptions extends CallOptions {
  /** `cluster`: read nothing older than what anybody was told before the call. It costs a round trip to the directory. */
  readonly scope?: Scope | undefined;
}

/** The options of every write. */
export interface WriteOptions extends CallOptions {
  /** How many nodes must have the write before the call resolves; see `AckLevel`. Default `local`. */
  readonly ack?: AckLevel | undefined;
  /**
   * How long to wait for that acknowledgement: text with a unit, such as `10s`. Default 5 s, at most 60 s. It extends the
   * deadline of the call unless `deadlineMs` is given.
   */
  readonly timeout?: string | undefined;
  /** The same in milliseconds, instead of `timeout`. */
  readonly timeoutMs?: number | undefined;
  /** Write only if the node's newest entry has this etag; otherwise the call rejects with `PRECONDITION_FAILED`. */
  readonly ifMatch?: string | undefined;
  /**
   * `cluster`: the condition, which has to be there, is decided in the order of the whole cluster, and not by what the node has. For keys that are
   * written only so, one of many writers wins, through whichever nodes. The call may reject with `NOT_SCOPED` and `CONDITIONS_UNAVAILABLE`.
   */
  readonly scope?: Scope | undefined;
}

/** The options of `set`. */
export interface SetOptions extends WriteOptions {
  /** How long the value lives: text with a unit, such as `60s` or `15m`. Default: for ever. */
  readonly ttl?: string | undefined;
  /** The same in milliseconds, instead of `ttl`. */
  readonly ttlMs?: number | undefined;
  /** Default `application/json`; `application/octet-stream` for a `Uint8Array`. */
  readonly contentType?: string | undefined;
  /** Write only if the key has no live value on the node; otherwise the call rejects with `PRECONDITION_FAILED`. */
  readonly ifAbsent?: boolean | undefined;
}

/** One value of `setMany`. */
export interface SetEntry<In = unknown> extends Pick<SetOptions, "ttl" | "ttlMs" | "contentType"> {
  readonly key: string;
  readonly value: In;
}

/** The options of `keys`. `deadlineMs` is the limit of each page. */
export interface KeysOptions extends CallOptions {
  /** Only keys that begin with this. */
  readonly prefix?: string | undefined;
  /** Only keys after this one. */
  readonly after?: string | undefined;
  /** How many keys one request asks for, 1 to 1000. Default 100. */
  readonly pageSize?: number | undefined;
}

/** The options of `entries`. */
export interface EntriesOptions extends KeysOptions {
  /** Whether the entries have their values. Default true. */
  readonly values?: boolean | undefined;
}

/** The options of `update`. With `scope: "cluster"`, nothing comes between what is read and what is written, through whichever nodes. */
export interface UpdateOptions
  extends WriteOptions, Pick<SetOptions, "ttl" | "ttlMs" | "contentType"> {
  readonly ifMatch?: undefined;
}

/** A value as it is stored. */
export interface RawEntry {
  readonly value: Uint8Array;
  readonly contentType: string;
  /** Identifies this version of the value; pass it as `ifMatch`. */
  readonly etag: string;
  /** When the value expires, in milliseconds since the Unix epoch; undefined for never. */
  readonly expiresAtMs: number | undefined;
}

/** A key with a live value. */
export interface KeyInfo extends Omit<RawEntry, "value"> {
  readonly key: string;
  /** The size of the value, in bytes. */
  readonly bytes: number;
}

/** A key with its live value. */
export interface EntryInfo<Out> extends KeyInfo {
  /** Undefined if the option `values` is false. */
  readonly value: Out | undefined;
}

/** The result of a write. */
export interface Written {
  readonly key: string;
  readonly etag: string;
  readonly expiresAtMs: number | undefined;
}

/** The result of `set`. */
export interface SetResult extends Written {
  readonly acknowledged: Acknowledgement;
}

/** The result of `setMany`. */
export interface SetManyResult {
  readonly entries: readonly Written[];
  readonly acknowledged: Acknowledgement;
}

/** The result of `delete`. */
export interface DeleteResult {
  readonly key: string;
  readonly etag: string;
  /** Whether the key had a live value; undefined if an earlier attempt, which got no answer, may have deleted it. */
  readonly deleted: boolean | undefined;
  readonly acknowledged: Acknowledgement;
}

/** The result of `deleteMany`. */
export interface DeleteManyResult {
  /** The keys that had a live value. */
  readonly deleted: readonly string[];
  readonly acknowledged: Acknowledgement;
}

/** The options of `setMany`. */
export type SetManyOptions = Omit<WriteOptions, "ifMatch" | "scope">;
