import * as v from "valibot";

import type { ErrorCode } from "../errors.ts";
import type { Access } from "../http-api/access.ts";
import { etag, expiry, key, problem } from "../http-api/elements.ts";
import {
  batchDeleted,
  batchPresence,
  batchWritten,
  deleted,
  keyPage,
  lease,
  released,
  written,
} from "../http-api/region-api.ts";
import { requestId, valueEncoding, type SocketRequestType } from "./requests.ts";

/** A live entry with its value. Its `value` is text, or any JSON where `encoding` is `json`. */
export const socketFound = v.object({
  key,
  found: v.literal(true),
  value: v.unknown(),
  encoding: valueEncoding,
  contentType: v.string(),
  etag,
  expiresAtMs: expiry,
});

const unchanged = v.object({
  key,
  found: v.literal(true),
  unchanged: v.literal(true),
  etag,
  expiresAtMs: expiry,
});
const absent = v.object({ key, found: v.literal(false) });
const nothing = v.object({});

/** What one type of request demands and answers. */
export interface SocketRoute {
  /** What it does, as one sentence. */
  readonly summary: string;
  /** What it demands of whoever asks, where tokens are asked for. */
  readonly access: Access;
  readonly result: v.GenericSchema;
  /** The codes that are its own, beside those of every request. */
  readonly errors: readonly ErrorCode[];
}

const READING = [
  "NODE_SYNCING",
  "NODE_DRAINING",
  "POSITION_NOT_REACHED",
  "INVALID_POSITION",
] as const;
const WRITING = [
  "DEADLINE_PASSED",
  "NODE_REFUSED",
  "NODE_NOT_ADMITTED",
  "STORE_FULL",
  "STORE_FAILED",
] as const;

/** Every request that a region takes over a WebSocket, by its type. */
export const SOCKET_API = {
  auth: {
    summary: "Shows a token: the first request of a connection where tokens are asked for.",
    access: { scope: "public" },
    result: nothing,
    errors: ["RATE_LIMITED"],
  },
  ping: {
    summary: "Does nothing, and is answered with the region's time.",
    access: { scope: "any" },
    result: v.object({ nowMs: v.optional(v.number()) }),
    errors: [],
  },
  get: {
    summary: "Reads a value.",
    access: { scope: "read", keys: "query" },
    result: v.union([socketFound, unchanged]),
    errors: ["INVALID_KEY", "KEY_NOT_FOUND", ...READING],
  },
  set: {
    summary: "Stores a value.",
    access: { scope: "write", keys: "query" },
    result: written,
    errors: [
      "INVALID_KEY",
      "INVALID_TTL",
      "VALUE_TOO_LARGE",
      "PRECONDITION_FAILED",
      ...READING,
      ...WRITING,
    ],
  },
  delete: {
    summary: "Deletes a key everywhere.",
    access: { scope: "write", keys: "query" },
    result: deleted,
    errors: ["INVALID_KEY", "PRECONDITION_FAILED", ...READING, ...WRITING],
  },
  touch: {
    summary: "Has a value live for another time.",
    access: { scope: "write", keys: "query" },
    result: written,
    errors: ["INVALID_KEY", "INVALID_TTL", "KEY_NOT_FOUND", ...READING, ...WRITING],
  },
  getMany: {
    summary: "Reads up to 1 000 values.",
    access: { scope: "read", keys: "body" },
    result: v.object({ entries: v.array(v.union([socketFound, absent])) }),
    errors: ["INVALID_KEY", "VALUE_TOO_LARGE", ...READING],
  },
  setMany: {
    summary: "Stores up to 1 000 values in one commit, all of them or none.",
    access: { scope: "write", keys: "body" },
    result: batchWritten,
    errors: ["INVALID_KEY", "INVALID_TTL", "VALUE_TOO_LARGE", ...READING, ...WRITING],
  },
  deleteMany: {
    summary: "Deletes up to 1 000 keys everywhere, in one commit.",
    access: { scope: "write", keys: "body" },
    result: batchDeleted,
    errors: ["INVALID_KEY", ...READING, ...WRITING],
  },
  hasMany: {
    summary: "Says which of up to 1 000 keys have a live value.",
    access: { scope: "read", keys: "body" },
    result: batchPresence,
    errors: ["INVALID_KEY", ...READING],
  },
  pull: {
    summary: "Reads a value and deletes its key in one atomic step on this region.",
    access: { scope: "write", keys: "query" },
    result: socketFound,
    errors: ["INVALID_KEY", "KEY_NOT_FOUND", ...READING, ...WRITING],
  },
  lease: {
    summary: "Asks for the lease of a key: the right to be the one client that loads its value.",
    access: { scope: "write", keys: "query" },
    result: lease,
    errors: ["INVALID_KEY", "OVERLOADED", "DEADLINE_PASSED", ...READING],
  },
  release: {
    summary: "Gives a lease back. The clients that wait for it are answered.",
    access: { scope: "write", keys: "query" },
    result: released,
    errors: ["INVALID_KEY", "DEADLINE_PASSED"],
  },
  entries: {
    summary: "Lists live keys in order, without counting as a use of them.",
    access: { scope: "read", keys: "prefix" },
    result: keyPage,
    errors: READING,
  },
  watch: {
    summary: "Tells from now on what becomes of a key, or of all keys with a prefix.",
    access: { scope: "read", keys: "watch" },
    result: v.object({ resume: v.string() }),
    errors: ["INVALID_KEY", ...READING],
  },
  unwatch: {
    summary: "Ends a watch.",
    access: { scope: "any" },
    result: nothing,
    errors: [],
  },
} as const satisfies Readonly<Record<SocketRequestType, SocketRoute>>;

/** The answer to a request that was done. */
export const socketResult = v.object({
  type: v.literal("result"),
  id: requestId,
  result: v.looseObject({}),
  position: v.string(),
});

/** What has become of a key. `value` and `encoding` are there where values were asked for. */
export const keyNews = v.variant("event", [
  v.object({
    event: v.literal("set"),
    key,
    etag,
    expiresAtMs: expiry,
    contentType: v.string(),
    value: v.optional(v.string()),
    encoding: v.optional(v.picklist(["utf8", "base64"])),
  }),
  v.object({ event: v.literal("delete"), key, etag }),
  v.object({ event: v.literal("expire"), key, etag }),
]);

/** News of what is watched; `id` is that of the request that began the watch. */
export const socketChanges = v.object({
  type: v.literal("changes"),
  id: requestId,
  changes: v.array(keyNews),
  resume: v.string(),
  position: v.string(),
});

/** News have been missed: everything that is watched has to be read anew. */
export const socketReload = v.object({
  type: v.literal("reload"),
  id: requestId,
  resume: v.string(),
  position: v.string(),
});

/** A watch has told all changes through a position. */
export const socketPosition = v.object({
  type: v.literal("position"),
  id: requestId,
  /** Whole milliseconds since the watch began. */
  elapsedMs: v.number(),
  /** The region's time. */
  nowMs: v.number(),
  resume: v.string(),
  position: v.string(),
});

/** The answer to a request that failed; `id` is null where nobody can tell which one. */
export const socketError = v.object({
  type: v.literal("error"),
  id: v.nullable(requestId),
  error: problem,
  position: v.string(),
});
