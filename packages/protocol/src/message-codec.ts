/** Encodes the text messages of the replication link as JSON; decodes and checks those that arrive. */
import * as v from "valibot";

import { MeridianError } from "./errors.ts";
import { DIRECTORY_SCHEMAS, NODE_SCHEMAS } from "./message-schema.ts";
import type { DirectoryMessage, NodeMessage } from "./message.ts";
import { isDeeperThan } from "./json-depth.ts";
import { EXPIRES_AT_MS_MAX, HEAT_BYTES_MAX, TEXT_BYTES_MAX } from "./limits.ts";
import { utf8Length } from "./validate.ts";
import { agree, capabilities } from "./versions.ts";

/** Messages are nested four deep; what later versions add may be deeper. */
const DEPTH_MAX = 32;

const nodeMessage = v.variant("type", [
  NODE_SCHEMAS.hello,
  NODE_SCHEMAS.follow,
  NODE_SCHEMAS.probe,
  NODE_SCHEMAS.heartbeat,
  NODE_SCHEMAS.applied,
  NODE_SCHEMAS.locate,
  NODE_SCHEMAS.reconcile,
  NODE_SCHEMAS.compare,
  NODE_SCHEMAS.offer,
  NODE_SCHEMAS.reconciled,
  NODE_SCHEMAS.heat,
  NODE_SCHEMAS.propose,
  NODE_SCHEMAS.barrier,
  NODE_SCHEMAS.goodbye,
]);

const directoryMessage = v.variant("type", [
  DIRECTORY_SCHEMAS.welcome,
  DIRECTORY_SCHEMAS.echo,
  DIRECTORY_SCHEMAS.acknowledge,
  DIRECTORY_SCHEMAS.refuse,
  DIRECTORY_SCHEMAS["applied-by"],
  DIRECTORY_SCHEMAS.located,
  DIRECTORY_SCHEMAS.members,
  DIRECTORY_SCHEMAS["members-changed"],
  DIRECTORY_SCHEMAS["heat-elsewhere"],
  DIRECTORY_SCHEMAS.decided,
  DIRECTORY_SCHEMAS.registry,
  DIRECTORY_SCHEMAS.standing,
  DIRECTORY_SCHEMAS["reconcile-begin"],
  DIRECTORY_SCHEMAS.compared,
  DIRECTORY_SCHEMAS.wanted,
]);

/** Is `never` unless every `Message` is an input of `Schema`: a schema that refuses what its interface allows does not compile. */
type Same<Schema extends v.GenericSchema, Message> = [Message] extends [v.InferInput<Schema>]
  ? Schema
  : never;

/** The message as JSON text. */
export function encodeMessage(message: NodeMessage | DirectoryMessage): string {
  return JSON.stringify(message);
}

/**
 * Reads a message from a node or a following directory. Throws `UNSUPPORTED_VERSION` for a `hello`, `follow` or `probe` with no version in
 * common, whatever its other members are, and `MALFORMED_MESSAGE` for all other errors, among them text of more than `bytesMax` UTF-16
 * units. Unknown members are dropped.
 */
export function decodeNodeMessage(json: string, bytesMax: number = TEXT_BYTES_MAX): NodeMessage {
  const schema = nodeMessage satisfies Same<typeof nodeMessage, NodeMessage>;
  const message: NodeMessage = decode<NodeMessage>(schema, parse(json, bytesMax, checkVersions));
  if (message.type === "hello" && message.outboxAcknowledged > message.outboxThrough) {
    throw beyond("outboxAcknowledged", `at most ${message.outboxThrough}`);
  }
  if (message.type === "propose" && message.deleted && message.value !== "") {
    throw new MeridianError("MALFORMED_MESSAGE", "Expected a tombstone without a value, got one");
  }
  return message;
}

/**
 * Reads a message from the directory. Throws `UNSUPPORTED_VERSION` if the directory has chosen a version or a feature that this
 * party does not have, and `MALFORMED_MESSAGE` for all other errors. Unknown members are dropped.
 */
export function decodeDirectoryMessage(json: string): DirectoryMessage {
  const schema = directoryMessage satisfies Same<typeof directoryMessage, DirectoryMessage>;
  const value = parse(json, TEXT_BYTES_MAX, checkChosen);
  const acknowledge = acknowledgeOf(value);
  if (acknowledge !== undefined) return acknowledge;
  const message: DirectoryMessage = decode<DirectoryMessage>(schema, value);
  if ("committedThrough" in message && "head" in message) {
    if (message.committedThrough > message.head) {
      throw beyond("committedThrough", `at most ${message.head}`);
    }
  }
  if ("clock" in message && message.clock.agreeing > message.clock.members) {
    throw beyond("clock.agreeing", `at most ${message.clock.members}`);
  }
  return message;
}

function parse(
  json: string,
  bytesMax: number,
  check: (greeting: Record<string, unknown>) => void,
): unknown {
  // `JSON.parse` would spend time on a large text, and more on deeply nested arrays, before a schema could refuse it.
  if (json.length > bytesMax) {
    const said = `Expected text of at most ${bytesMax} bytes, got ${json.length}`;
    throw new MeridianError("MALFORMED_MESSAGE", said);
  }
  if (isDeeperThan(json, DEPTH_MAX)) {
    const said = `Expected JSON nested at most ${DEPTH_MAX} deep, got more`;
    throw new MeridianError("MALFORMED_MESSAGE", said);
  }
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new MeridianError("MALFORMED_MESSAGE", `Expected JSON, got \`${clip(json)}\``, {
      cause,
    });
  }
  if (typeof value === "object" && value !== null) {
    checkHeat(json, value);
    check(value as Record<string, unknown>);
  }
  return value;
}

/**
 * The message if it is an `acknowledge` as its schema has it. One comes for each frame that a node sends, and the schema takes as long as all else that
 * the node does about it. What is no such message, or a wrong one, is for the schema.
 */
function acknowledgeOf(value: unknown): DirectoryMessage | undefined {
  const said = value as Readonly<Record<string, unknown>> | null;
  if (typeof said !== "object" || said?.["type"] !== "acknowledge") return undefined;
  const { nowMs, outboxThrough, committedThrough } = said;
  if (typeof nowMs !== "number" || !(Math.abs(nowMs) <= EXPIRES_AT_MS_MAX)) return undefined;
  if (!isWhole(outboxThrough) || !isWhole(committedThrough)) return undefined;
  return { type: "acknowledge", nowMs, outboxThrough, committedThrough };
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function decode<Message>(schema: v.GenericSchema<unknown, Message>, value: unknown): Message {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue) ?? "message";
  throw new MeridianError(
    "MALFORMED_MESSAGE",
    `Expected ${expectedBy(issue)} at \`${clip(path)}\`, got ${clip(issue.received)}`,
  );
}

/** Checks how large a list of used keys is before the schema looks at each of them. */
function checkHeat(json: string, message: object): void {
  if (!("type" in message)) return;
  const { type } = message;
  if (type !== "heat" && type !== "heat-elsewhere") return;
  const bytes = utf8Length(json);
  if (bytes <= HEAT_BYTES_MAX) return;
  const said = `Expected \`${type}\` of at most ${HEAT_BYTES_MAX} bytes, got ${bytes}`;
  throw new MeridianError("MALFORMED_MESSAGE", said);
}

/** Checks the versions before the schema does: the greeting of another version may have other members, and its sender must get `UNSUPPORTED_VERSION`. */
function checkVersions({ type, versions }: Record<string, unknown>): void {
  if (type !== "hello" && type !== "follow" && type !== "probe") return;
  if (!Array.isArray(versions)) return;
  const [lowest, highest]: readonly unknown[] = versions;
  if (typeof lowest !== "number" || typeof highest !== "number") return;
  agree({ versions: [lowest, highest], features: [] });
}

/** A directory may choose only versions and features that it was offered. */
function checkChosen({ type, version, features }: Record<string, unknown>): void {
  if (type !== "welcome" && type !== "standing") return;
  if (typeof version === "number") agree({ versions: [version, version], features: [] });
  if (!Array.isArray(features)) return;
  const own: readonly unknown[] = capabilities().features;
  if (features.every((name) => own.includes(name))) return;
  throw new MeridianError(
    "UNSUPPORTED_VERSION",
    `Expected features that were offered, got ${clip(JSON.stringify(features))}`,
  );
}

function beyond(member: string, expected: string): MeridianError {
  return new MeridianError("MALFORMED_MESSAGE", `Expected \`${member}\` ${expected}, got more`);
}

function expectedBy(issue: v.BaseIssue<unknown>): string {
  if (issue.type === "check") return issue.message;
  return issue.expected ?? "another value";
}

/** The start of a text from a peer, for an error message: the whole text could be as large as a message. */
function clip(said: string): string {
  return said.length > 80 ? `${said.slice(0, 80)}…` : said;
}
