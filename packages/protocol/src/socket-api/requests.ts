/** What a region is asked over a WebSocket, as schemas. */
import * as v from "valibot";

import { KEYS_MAX, LIMIT_MAX, WAIT_MS_MAX } from "./limits.ts";

const ID_LENGTH_MAX = 64;

/** What a request is known by until it is answered. */
export const requestId = v.union([
  v.pipe(v.string(), v.minLength(1), v.maxLength(ID_LENGTH_MAX)),
  v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
]);

/** The id of a request: text of 1 to 64 characters, or a whole number from 0. */
export type RequestId = v.InferOutput<typeof requestId>;

/** How a value is written: as text, as base64 of its bytes, or as the JSON that it is. */
export const valueEncoding = v.picklist(["utf8", "base64", "json"]);

/** How a value is written. */
export type ValueEncoding = v.InferOutput<typeof valueEncoding>;

const waitMs = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(WAIT_MS_MAX));
const duration = v.union([v.string(), v.number()]);
const keys = v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(KEYS_MAX));

/** What a request says of the session that it belongs to. */
const session = {
  position: v.optional(v.string()),
  waitMs: v.optional(waitMs),
};
/** What a request is a part of, as the headers of W3C Trace Context say it. */
const trace = { traceparent: v.optional(v.string()), tracestate: v.optional(v.string()) };
/** The instant by the region's time from which on a write is refused: its client has given it up by then. */
const deadline = { deadlineMs: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0))) };
const stale = { stale: v.optional(v.boolean()) };
const ack = {
  ack: v.optional(v.union([v.string(), v.number()])),
  timeout: v.optional(duration),
};
const conditions = { ifMatch: v.optional(v.string()), ifNoneMatch: v.optional(v.string()) };
const content = {
  value: v.unknown(),
  encoding: v.optional(valueEncoding),
  contentType: v.optional(v.string()),
  ttl: v.optional(duration),
};

/** A value to set. */
const item = v.strictObject({ key: v.string(), ...content });

/** The shape of each request, by its type. */
export const SOCKET_REQUESTS = {
  auth: v.strictObject({ id: requestId, type: v.literal("auth"), token: v.string() }),
  ping: v.strictObject({ id: requestId, type: v.literal("ping") }),
  get: v.strictObject({
    id: requestId,
    type: v.literal("get"),
    key: v.string(),
    encoding: v.optional(valueEncoding),
    ifNoneMatch: v.optional(v.string()),
    ...stale,
    ...session,
    ...trace,
  }),
  set: v.strictObject({
    id: requestId,
    type: v.literal("set"),
    key: v.string(),
    ...content,
    ...ack,
    ...conditions,
    ...session,
    ...deadline,
    ...trace,
  }),
  delete: v.strictObject({
    id: requestId,
    type: v.literal("delete"),
    key: v.string(),
    ...ack,
    ...conditions,
    ...session,
    ...deadline,
    ...trace,
  }),
  touch: v.strictObject({
    id: requestId,
    type: v.literal("touch"),
    key: v.string(),
    ttl: v.optional(duration),
    expiresAt: v.optional(v.union([v.literal("never"), v.number()])),
    ...ack,
    ...session,
    ...deadline,
    ...trace,
  }),
  getMany: v.strictObject({
    id: requestId,
    type: v.literal("getMany"),
    keys,
    encoding: v.optional(valueEncoding),
    ...session,
    ...trace,
  }),
  setMany: v.strictObject({
    id: requestId,
    type: v.literal("setMany"),
    entries: v.pipe(v.array(item), v.minLength(1), v.maxLength(KEYS_MAX)),
    ...ack,
    ...session,
    ...deadline,
    ...trace,
  }),
  deleteMany: v.strictObject({
    id: requestId,
    type: v.literal("deleteMany"),
    keys,
    ...ack,
    ...session,
    ...deadline,
    ...trace,
  }),
  hasMany: v.strictObject({
    id: requestId,
    type: v.literal("hasMany"),
    keys,
    ...session,
    ...trace,
  }),
  pull: v.strictObject({
    id: requestId,
    type: v.literal("pull"),
    key: v.string(),
    ...session,
    ...deadline,
    ...trace,
  }),
  lease: v.strictObject({
    id: requestId,
    type: v.literal("lease"),
    key: v.string(),
    ttl: v.optional(duration),
    wait: v.optional(duration),
    ...session,
    ...deadline,
    ...trace,
  }),
  release: v.strictObject({
    id: requestId,
    type: v.literal("release"),
    key: v.string(),
    lease: v.string(),
    ...deadline,
    ...trace,
  }),
  entries: v.strictObject({
    id: requestId,
    type: v.literal("entries"),
    prefix: v.optional(v.string()),
    after: v.optional(v.string()),
    limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(LIMIT_MAX))),
    values: v.optional(v.boolean()),
    ...session,
    ...trace,
  }),
  watch: v.strictObject({
    id: requestId,
    type: v.literal("watch"),
    key: v.optional(v.string()),
    prefix: v.optional(v.string()),
    values: v.optional(v.boolean()),
    resume: v.optional(v.string()),
    positions: v.optional(v.boolean()),
    ...session,
  }),
  unwatch: v.strictObject({ id: requestId, type: v.literal("unwatch"), watch: requestId }),
} as const;

/** The types of requests. */
export type SocketRequestType = keyof typeof SOCKET_REQUESTS;

/** A request of one type. */
export type SocketRequestOf<Type extends SocketRequestType> = v.InferOutput<
  (typeof SOCKET_REQUESTS)[Type]
>;

/** Any request. */
export type SocketRequest = {
  [Type in SocketRequestType]: SocketRequestOf<Type>;
}[SocketRequestType];

/** A value to set, of many. */
export type SocketItem = v.InferOutput<typeof item>;
