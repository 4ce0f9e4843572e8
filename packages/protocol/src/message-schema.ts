/**
 * The schemas of the text messages of the replication link: one for each type, in one table for each side. A schema checks what
 * holds in every state of the link; what depends on the state is checked where the state is kept, in `replication`.
 *
 * Objects and tuples ignore unknown members, so that a later version can add some.
 */
import * as v from "valibot";

import {
  COMPARED_ENTRIES_MAX,
  CURSORS_MAX,
  EPOCHS_MAX,
  EXPIRES_AT_MS_MAX,
  FEATURES_MAX,
  GENERATION_MAX,
  HEAT_READS_MAX,
  LISTED_MAX,
  OFFERED_ENTRIES_MAX,
  PROPOSED_BYTES_MAX,
  RANGES_MAX,
  CONTENT_TYPE_BYTES_MAX,
} from "./limits.ts";
import { isBase64 } from "./text.ts";
import { isAddress, isIdentifier, isKey, isReservedKey, utf8Length } from "./validate.ts";
import { isWebOrigin } from "./url.ts";
import { NODE_STATUSES } from "./node-status.ts";

/** The latest instant that a `Date` can hold, in milliseconds since the Unix epoch. */
const INSTANT_MAX = EXPIRES_AT_MS_MAX;

/** Why a proposal is not ordered: see `DecidedCode`. */
const DECIDED_CODES = [
  "PRECONDITION_FAILED",
  "NOT_SCOPED",
  "STAMP_TOO_LOW",
  "CONDITIONS_UNAVAILABLE",
  "OVERLOADED",
] as const;

/** The longest heartbeat interval is a minute, the longest lease an hour. */
const HEARTBEAT_MS_MAX = 60_000;
const LEASE_MS_MAX = 3_600_000;

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const counted = v.pipe(whole, v.minValue(1));
const identity = v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(2 ** 48 - 1));
/** 0 stands for no log: a node sends it while it does not know which log has everything that the node has. */
const identityOrNone = v.pipe(whole, v.maxValue(2 ** 48 - 1));
const instant = v.pipe(v.number(), v.minValue(-INSTANT_MAX), v.maxValue(INSTANT_MAX));
const duration = v.pipe(v.number(), v.minValue(0), v.maxValue(INSTANT_MAX));
const wholeDuration = v.pipe(whole, v.maxValue(INSTANT_MAX));
const rate = v.pipe(v.number(), v.finite(), v.minValue(0));
const text = v.pipe(v.string(), v.maxLength(4096));
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
const label = v.pipe(v.string(), v.check(isIdentifier, "lower-case letters, digits, hyphens"));
const address = v.pipe(v.string(), v.check(isAddress, "an IPv4 or IPv6 address"));
const origin = v.pipe(text, v.check(isWebOrigin, "an http or https URL without a path"));
const key = v.pipe(v.string(), v.check(isKey, "a key of 1 byte to 1 KiB of well-formed text"));
const clientKey = v.pipe(
  key,
  v.check((name) => !isReservedKey(name), "a key that is not reserved"),
);
const port = v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(65_535));
const fingerprint = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/));
const lat = v.pipe(v.number(), v.minValue(-90), v.maxValue(90));
const lon = v.pipe(v.number(), v.minValue(-180), v.maxValue(180));
const status = v.picklist(NODE_STATUSES);
const ids = v.pipe(v.array(label), v.maxLength(LISTED_MAX));
const features = v.pipe(v.array(name), v.maxLength(FEATURES_MAX));
const versions = v.pipe(
  v.tuple([counted, counted]),
  v.check(([lowest, highest]) => lowest <= highest, "the lowest version, then the highest"),
);
const nowMs = instant;

const cursor = v.object({ logId: identityOrNone, epoch: identityOrNone, sequence: whole });
const cursors = v.pipe(v.array(cursor), v.maxLength(CURSORS_MAX));
const clock = v.object({ aheadMs: instant, agreeing: whole, members: counted });
const load = v.object({
  entries: whole,
  bytes: whole,
  requestsPerSecond: rate,
  refusing: v.optional(v.boolean()),
});
const range = v.object({
  to: v.nullable(key),
  count: v.pipe(whole, v.maxValue(COMPARED_ENTRIES_MAX)),
  fingerprint,
});
const heat = v.tuple([clientKey, v.pipe(counted, v.maxValue(HEAT_READS_MAX))]);
/** How many there can be is bounded by the bytes of the message. */
const heats = v.pipe(v.array(heat), v.minLength(1));
const stamp = v.tuple([counted, identity]);
/** No node draws the greatest origin, which burials have. */
const ownStamp = v.tuple([counted, v.pipe(identity, v.maxValue(2 ** 48 - 2))]);
const proposedValue = v.pipe(
  v.string(),
  v.maxLength(4 * Math.ceil(PROPOSED_BYTES_MAX / 3)),
  v.check(isBase64, "padded base64"),
);
const proposedType = v.pipe(
  v.string(),
  v.check((type) => utf8Length(type) <= CONTENT_TYPE_BYTES_MAX, "a content type of 255 bytes"),
);
const memberFields = { id: label, region: label, url: origin, lat, lon, status };
const member = v.object(memberFields);
const registeredMember = v.object({
  ...memberFields,
  ip: address,
  port,
  lagMs: duration,
  load,
  outboxPending: whole,
  skewMs: instant,
  connectedAtMs: instant,
});

const rememberedMember = v.object({
  id: label,
  region: label,
  url: origin,
  ip: address,
  port,
  lat,
  lon,
  generation: v.pipe(counted, v.maxValue(GENERATION_MAX)),
  seenAtMs: instant,
});

/** The messages of a node, or of a directory that follows. */
export const NODE_SCHEMAS = {
  hello: v.object({
    type: v.literal("hello"),
    versions,
    features,
    cluster: text,
    nodeId: label,
    region: label,
    incarnation: identity,
    ip: v.nullable(address),
    port,
    url: v.nullable(origin),
    lat,
    lon,
    status,
    cursors,
    home: v.nullable(cursor),
    outboxThrough: whole,
    outboxAcknowledged: whole,
    admittedTime: whole,
    horizon: whole,
    nowMs,
  }),
  follow: v.object({
    type: v.literal("follow"),
    versions,
    features,
    cluster: text,
    logId: identity,
    epoch: identity,
    head: whole,
    cursors,
    nowMs,
  }),
  probe: v.object({ type: v.literal("probe"), versions, features, cluster: text, nowMs }),
  heartbeat: v.object({
    type: v.literal("heartbeat"),
    nowMs,
    status,
    appliedThrough: whole,
    outboxPending: whole,
    lowestTime: whole,
    lagMs: duration,
    load,
  }),
  applied: v.object({ type: v.literal("applied"), nowMs, through: counted }),
  locate: v.object({ type: v.literal("locate"), nowMs, incarnation: identity, position: counted }),
  reconcile: v.object({
    type: v.literal("reconcile"),
    nowMs,
    appliedThrough: v.optional(whole),
  }),
  compare: v.object({
    type: v.literal("compare"),
    nowMs,
    id: whole,
    from: v.nullable(key),
    ranges: v.pipe(v.array(range), v.minLength(1), v.maxLength(RANGES_MAX)),
  }),
  offer: v.object({
    type: v.literal("offer"),
    nowMs,
    id: whole,
    from: v.nullable(key),
    to: v.nullable(key),
    entries: v.pipe(v.array(v.tuple([key, counted, identity])), v.maxLength(OFFERED_ENTRIES_MAX)),
  }),
  reconciled: v.object({ type: v.literal("reconciled"), nowMs }),
  heat: v.object({ type: v.literal("heat"), nowMs, keys: heats }),
  propose: v.object({
    type: v.literal("propose"),
    nowMs,
    id: counted,
    key: clientKey,
    ifStamp: v.nullable(stamp),
    stamp: ownStamp,
    value: proposedValue,
    contentType: proposedType,
    expiresAtMs: wholeDuration,
    deleted: v.boolean(),
  }),
  barrier: v.object({ type: v.literal("barrier"), nowMs, id: counted }),
  goodbye: v.object({ type: v.literal("goodbye"), nowMs }),
} as const;

/** The messages of a directory. */
export const DIRECTORY_SCHEMAS = {
  welcome: v.object({
    type: v.literal("welcome"),
    version: counted,
    features,
    nowMs,
    logId: identity,
    epoch: identity,
    head: whole,
    committedThrough: whole,
    epochs: v.pipe(v.array(v.tuple([identity, whole])), v.minLength(1), v.maxLength(EPOCHS_MAX)),
    resume: v.picklist(["feed", "reconcile"]),
    resumeAfter: whole,
    homeThrough: whole,
    followed: cursors,
    outboxThrough: whole,
    outboxTime: whole,
    horizon: whole,
    horizonMs: wholeDuration,
    heartbeatMs: v.pipe(whole, v.minValue(1), v.maxValue(HEARTBEAT_MS_MAX)),
    leaseMs: v.pipe(whole, v.minValue(1), v.maxValue(LEASE_MS_MAX)),
    maxClockDriftMs: wholeDuration,
    holdBack: v.boolean(),
    clock,
    shared: v.optional(v.boolean()),
  }),
  echo: v.object({
    type: v.literal("echo"),
    nowMs,
    echoMs: instant,
    head: whole,
    committedThrough: whole,
    followed: cursors,
    horizon: whole,
    horizonAt: whole,
    holdBack: v.boolean(),
    clock,
  }),
  acknowledge: v.object({
    type: v.literal("acknowledge"),
    nowMs,
    outboxThrough: whole,
    committedThrough: whole,
  }),
  refuse: v.object({
    type: v.literal("refuse"),
    nowMs,
    position: counted,
    code: name,
    timeMax: whole,
  }),
  "applied-by": v.object({
    type: v.literal("applied-by"),
    nowMs,
    position: counted,
    nodes: ids,
    ready: ids,
  }),
  located: v.object({
    type: v.literal("located"),
    nowMs,
    incarnation: identity,
    position: counted,
    sequence: v.nullable(whole),
  }),
  members: v.object({
    type: v.literal("members"),
    nowMs,
    members: v.pipe(v.array(member), v.maxLength(LISTED_MAX)),
  }),
  "members-changed": v.object({
    type: v.literal("members-changed"),
    nowMs,
    changed: v.pipe(v.array(member), v.maxLength(LISTED_MAX)),
    gone: ids,
  }),
  "heat-elsewhere": v.object({ type: v.literal("heat-elsewhere"), nowMs, keys: heats }),
  decided: v.object({
    type: v.literal("decided"),
    nowMs,
    id: counted,
    code: v.nullable(v.picklist(DECIDED_CODES)),
    sequence: whole,
    time: whole,
    atMs: instant,
    why: text,
  }),
  registry: v.object({
    type: v.literal("registry"),
    nowMs,
    head: whole,
    lowestTime: whole,
    members: v.pipe(v.array(registeredMember), v.maxLength(LISTED_MAX)),
    remembered: v.optional(v.pipe(v.array(rememberedMember), v.maxLength(LISTED_MAX))),
    early: v.optional(v.boolean()),
  }),
  standing: v.object({
    type: v.literal("standing"),
    version: counted,
    features,
    nowMs,
    ready: v.boolean(),
    logId: identity,
    epoch: identity,
    head: whole,
    followed: cursors,
  }),
  "reconcile-begin": v.object({
    type: v.literal("reconcile-begin"),
    nowMs,
    head: whole,
    horizon: whole,
    resumes: v.optional(v.boolean()),
  }),
  compared: v.object({
    type: v.literal("compared"),
    nowMs,
    id: whole,
    differing: v.pipe(v.array(whole), v.maxLength(RANGES_MAX)),
  }),
  wanted: v.object({
    type: v.literal("wanted"),
    nowMs,
    id: whole,
    donated: whole,
    keys: v.pipe(v.array(key), v.maxLength(OFFERED_ENTRIES_MAX)),
  }),
} as const;
