/** The text messages of the replication link as JSON, and what is checked of one that comes in. */
import * as v from "valibot";

import { ERROR_KINDS, MeridianError, type ErrorCode } from "./errors.ts";
import { CURSORS_MAX, PROTOCOL_VERSION } from "./limits.ts";
import type { DirectoryMessage, NodeMessage } from "./message.ts";
import { checkKey } from "./validate.ts";

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const finite = v.pipe(v.number(), v.finite());
const text = v.pipe(v.string(), v.maxLength(4096));
const key = v.pipe(v.string(), v.check(isKey, "a key of 1 byte to 1 KiB of well-formed text"));
const identity = v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(2 ** 48 - 1));
const lat = v.pipe(v.number(), v.minValue(-90), v.maxValue(90));
const lon = v.pipe(v.number(), v.minValue(-180), v.maxValue(180));
const status = v.picklist(["joining", "syncing", "ready", "standalone", "draining"]);
const errorCode = v.picklist(Object.keys(ERROR_KINDS) as [ErrorCode, ...ErrorCode[]]);

const cursor = v.strictObject({ logId: whole, epoch: whole, sequence: whole });
const load = v.strictObject({
  entries: whole,
  bytes: whole,
  requestsPerSecond: v.pipe(finite, v.minValue(0)),
});
const range = v.strictObject({
  to: v.nullable(key),
  count: whole,
  fingerprint: text,
});
const memberFields = { id: text, region: text, url: text, lat, lon, status };
const member = v.strictObject(memberFields);
const registeredMember = v.strictObject({
  ...memberFields,
  ip: text,
  port: whole,
  lagMs: v.pipe(finite, v.minValue(0)),
  load,
  outboxPending: whole,
  skewMs: finite,
  connectedAtMs: finite,
});
const cursors = v.pipe(v.array(cursor), v.maxLength(CURSORS_MAX));

const hello = v.strictObject({
  type: v.literal("hello"),
  version: whole,
  cluster: text,
  nodeId: text,
  region: text,
  incarnation: identity,
  ip: v.nullable(text),
  port: v.pipe(whole, v.minValue(1), v.maxValue(65_535)),
  url: v.nullable(text),
  lat,
  lon,
  status,
  cursors,
  home: v.nullable(cursor),
  outboxThrough: whole,
  outboxAcknowledged: whole,
  admittedTime: whole,
  horizon: whole,
  nowMs: finite,
});
const follow = v.strictObject({
  type: v.literal("follow"),
  version: whole,
  cluster: text,
  logId: identity,
  epoch: identity,
  head: whole,
  cursors,
  nowMs: finite,
});
const probe = v.strictObject({
  type: v.literal("probe"),
  version: whole,
  cluster: text,
  nowMs: finite,
});
const heartbeat = v.strictObject({
  type: v.literal("heartbeat"),
  nowMs: finite,
  status,
  appliedThrough: whole,
  outboxPending: whole,
  lowestTime: whole,
  lagMs: v.pipe(finite, v.minValue(0)),
  load,
});
const applied = v.strictObject({ type: v.literal("applied"), nowMs: finite, through: whole });
const locate = v.strictObject({
  type: v.literal("locate"),
  nowMs: finite,
  incarnation: identity,
  position: whole,
});
const reconcile = v.strictObject({ type: v.literal("reconcile"), nowMs: finite });
const compare = v.strictObject({
  type: v.literal("compare"),
  nowMs: finite,
  id: whole,
  from: v.nullable(key),
  ranges: v.pipe(v.array(range), v.minLength(1), v.maxLength(4096)),
});
const offer = v.strictObject({
  type: v.literal("offer"),
  nowMs: finite,
  id: whole,
  from: v.nullable(key),
  to: v.nullable(key),
  entries: v.pipe(v.array(v.strictTuple([key, whole, identity])), v.maxLength(65_536)),
});
const reconciled = v.strictObject({ type: v.literal("reconciled"), nowMs: finite });
const goodbye = v.strictObject({ type: v.literal("goodbye"), nowMs: finite });

const nodeMessage = v.variant("type", [
  hello,
  follow,
  probe,
  heartbeat,
  applied,
  locate,
  reconcile,
  compare,
  offer,
  reconciled,
  goodbye,
]);

const welcome = v.strictObject({
  type: v.literal("welcome"),
  version: whole,
  nowMs: finite,
  logId: whole,
  epoch: whole,
  head: whole,
  committedThrough: whole,
  epochs: v.array(v.strictTuple([whole, whole])),
  resume: v.picklist(["feed", "reconcile"]),
  resumeAfter: whole,
  homeThrough: whole,
  followed: cursors,
  outboxThrough: whole,
  outboxTime: whole,
  horizon: whole,
  horizonMs: whole,
  heartbeatMs: v.pipe(whole, v.minValue(1)),
  leaseMs: v.pipe(whole, v.minValue(1)),
  maxClockDriftMs: whole,
  holdBack: v.boolean(),
});
const echo = v.strictObject({
  type: v.literal("heartbeat"),
  nowMs: finite,
  echoMs: finite,
  head: whole,
  committedThrough: whole,
  outboxReceived: whole,
  followed: cursors,
  horizon: whole,
  horizonAt: whole,
  holdBack: v.boolean(),
});
const acknowledge = v.strictObject({
  type: v.literal("acknowledge"),
  nowMs: finite,
  outboxThrough: whole,
  committedThrough: whole,
});
const refuse = v.strictObject({
  type: v.literal("refuse"),
  nowMs: finite,
  position: whole,
  code: errorCode,
});
const appliedBy = v.strictObject({
  type: v.literal("applied-by"),
  nowMs: finite,
  position: whole,
  nodes: v.array(text),
  ready: v.array(text),
});
const located = v.strictObject({
  type: v.literal("located"),
  nowMs: finite,
  incarnation: identity,
  position: whole,
  sequence: v.nullable(whole),
});
const members = v.strictObject({
  type: v.literal("members"),
  nowMs: finite,
  members: v.array(member),
});
const registry = v.strictObject({
  type: v.literal("registry"),
  nowMs: finite,
  head: whole,
  lowestTime: whole,
  members: v.array(registeredMember),
});
const standing = v.strictObject({
  type: v.literal("standing"),
  nowMs: finite,
  ready: v.boolean(),
  logId: whole,
  epoch: whole,
  head: whole,
  followed: cursors,
});
const reconcileBegin = v.strictObject({
  type: v.literal("reconcile-begin"),
  nowMs: finite,
  head: whole,
  horizon: whole,
});
const compared = v.strictObject({
  type: v.literal("compared"),
  nowMs: finite,
  id: whole,
  differing: v.array(whole),
});
const wanted = v.strictObject({
  type: v.literal("wanted"),
  nowMs: finite,
  id: whole,
  donated: whole,
  keys: v.array(key),
});

const directoryMessage = v.variant("type", [
  welcome,
  echo,
  acknowledge,
  refuse,
  appliedBy,
  located,
  members,
  registry,
  standing,
  reconcileBegin,
  compared,
  wanted,
]);

/** Compiles only while each schema and its interface say the same. */
type Same<Schema extends v.GenericSchema, Message> = [Message] extends [v.InferInput<Schema>]
  ? Schema
  : never;

/** The message as JSON text. */
export function encodeMessage(message: NodeMessage | DirectoryMessage): string {
  return JSON.stringify(message);
}

/**
 * Reads a message from a node. Throws `UNSUPPORTED_VERSION` for a `hello`, `follow` or `probe` of another version,
 * whatever else is in it, and `MALFORMED_MESSAGE` for anything else.
 */
export function decodeNodeMessage(json: string): NodeMessage {
  return decode<NodeMessage>(nodeMessage satisfies Same<typeof nodeMessage, NodeMessage>, json);
}

/** Reads a message from the directory. Throws `MALFORMED_MESSAGE` for anything else. */
export function decodeDirectoryMessage(json: string): DirectoryMessage {
  return decode<DirectoryMessage>(
    directoryMessage satisfies Same<typeof directoryMessage, DirectoryMessage>,
    json,
  );
}

function decode<Message>(schema: v.GenericSchema<unknown, Message>, json: string): Message {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new MeridianError("MALFORMED_MESSAGE", `Expected JSON, got \`${clip(json)}\``, {
      cause,
    });
  }
  checkVersion(value);
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue) ?? "message";
  throw new MeridianError(
    "MALFORMED_MESSAGE",
    `Expected ${expectedBy(issue)} at \`${clip(path)}\`, got ${clip(issue.received)}`,
  );
}

/** A party of another version may say hello in other words; it is to hear what is wrong. */
function checkVersion(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  const { type, version } = value as { readonly type?: unknown; readonly version?: unknown };
  const isGreeting = type === "hello" || type === "follow" || type === "probe";
  if (!isGreeting || typeof version !== "number" || version === PROTOCOL_VERSION) return;
  throw new MeridianError(
    "UNSUPPORTED_VERSION",
    `Expected protocol version ${PROTOCOL_VERSION}, got ${version}`,
  );
}

function expectedBy(issue: v.BaseIssue<unknown>): string {
  if (issue.type === "check") return issue.message;
  return issue.expected === "never" ? "nothing" : (issue.expected ?? "another value");
}

function isKey(text: string): boolean {
  try {
    return checkKey(text) === text;
  } catch {
    return false;
  }
}

/** The start of what a peer has sent: whole, it could be as large as a message. */
function clip(said: string): string {
  return said.length > 80 ? `${said.slice(0, 80)}…` : said;
}
