/** The requests and answers of a node's service, independent of any protocol. */
import type { EntryMark } from "@meridian/ports";
import {
  CONTENT_TYPE_BYTES_MAX,
  MeridianError,
  type AckLevel,
  type Acknowledgement,
  type Entry,
  type Position,
  type TraceContext,
} from "@meridian/protocol";
import type { Content } from "@meridian/replication";

import { etagOf, isContentType, type CachedRecord } from "./cached-record.ts";

/** What a request says of the session it belongs to. */
export interface SessionNeeds {
  /** What the client has seen already: it is served nothing older. */
  readonly position?: Position;
  /** How long it waits for that, in milliseconds. */
  readonly waitMs: number;
  /** Whether it accepts stale data from a node that is still catching up. */
  readonly stale: boolean;
}

/** What must hold of a key for a write to be made. Throws `PRECONDITION_FAILED` if it does not. */
export type Condition = (live: EntryMark | undefined) => void;

/** The acknowledgement level that a write waits for before it is answered, for how long, and for whom. */
export interface AckRequest {
  readonly level: AckLevel;
  readonly timeoutMs: number;
  /** What the write is a part of: who takes it in is told so. */
  readonly trace?: TraceContext;
  /** The instant of the cluster's time from which on the write must not be made, in milliseconds since the Unix epoch. */
  readonly deadlineMs?: number | undefined;
}

/** One value to set. */
export interface SetRequest {
  readonly key: string;
  readonly value: Uint8Array;
  readonly contentType: string;
  /** Milliseconds; without it, the node's default holds. */
  readonly ttlMs?: number;
  /** When it expires, in milliseconds since the Unix epoch. It goes before `ttlMs`. */
  readonly expiresAtMs?: number;
}

/**
 * Computes what a key is to hold from what it holds live: its new content, undefined to leave it as it is, or an error that
 * refuses the write. Nothing comes between; it has to be quick.
 */
export type Update = (live: Entry | undefined) => Content | undefined;

/** How long a value is to live: for `ttlMs`, 0 for ever, or until `expiresAtMs`. */
export type Life = Pick<Content, "ttlMs" | "expiresAtMs">;

/** Where a read was answered from. */
export type Tier = "memory" | "store";

/** A live entry. */
export interface Found {
  readonly record: CachedRecord;
  readonly tier: Tier;
}

/** The entries that were written, and the acknowledgement level that they have reached. */
export interface WriteResult {
  readonly entries: readonly Entry[];
  readonly acknowledged: Acknowledgement;
}

/** Another node that a client may ask. */
export interface OtherNode {
  readonly id: string;
  readonly url: string;
}

/** An entry that was written, as clients are told of it. */
export interface WrittenFacts {
  readonly key: string;
  readonly etag: string;
  readonly expiresAtMs: number | null;
}

/** What clients are told of an entry that was written. */
export function factsOf(entry: Entry): WrittenFacts {
  const { key, expiresAtMs } = entry;
  return { key, etag: etagOf(entry), expiresAtMs: expiresAtMs === 0 ? null : expiresAtMs };
}

/** Throws `VALUE_TOO_LARGE` if `bytes` is above `bytesMax`. `what` names what is so large. */
export function checkBytes(what: string, bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax) return;
  throw new MeridianError(
    "VALUE_TOO_LARGE",
    `Expected ${what} of at most ${bytesMax} bytes, got ${bytes} or more`,
    { details: { bytesMax } },
  );
}

/** Throws `INVALID_ARGUMENT` unless `contentType` is 1 to 255 printable ASCII characters. */
export function checkContentType(contentType: string): void {
  if (contentType.length <= CONTENT_TYPE_BYTES_MAX && isContentType(contentType)) return;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected a content type of 1 to ${CONTENT_TYPE_BYTES_MAX} printable ASCII characters, got \`${contentType.slice(0, 100)}\``,
    { details: { length: contentType.length } },
  );
}
