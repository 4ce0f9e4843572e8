/** What a node does for each request that comes over a WebSocket. Options and errors are those of its HTTP API. */
import { readWhole } from "@meridian/http";
import {
  checkClientKey,
  MeridianError,
  parsePosition,
  parseTraceContext,
} from "@meridian/protocol";
import type {
  SocketItem,
  SocketRequest,
  SocketRequestOf,
  SocketRequestType,
  ValueEncoding,
} from "@meridian/protocol/socket-api";

import { OneAtATime } from "../../service/one-at-a-time.ts";
import type { RegionService } from "../../service/region-service.ts";
import {
  checkBytes,
  checkContentType,
  factsOf,
  type AckRequest,
  type Condition,
  type SessionNeeds,
  type SetRequest,
  type WriteResult,
} from "../../service/requests.ts";
import { Steps } from "../../service/steps.ts";
import { readAck, readLease, readLife, ttlMsOf } from "../api/arguments.ts";
import { conditionOf, noneMatchNames } from "../api/conditions.ts";
import { CONTENT_TYPE_DEFAULT, EntryFace, faceOf } from "../api/entry-face.ts";
import { keyNotFound } from "../api/found-entry.ts";
import { pageOf } from "../api/key-pages.ts";
import { bytesOf, TEXT_CONTENT_TYPE } from "../api/value-text.ts";
import type { Said, SocketForm } from "./socket-form.ts";

/** The largest message that a node takes and sends, unless one value may be larger, in bytes. */
const MESSAGE_BYTES_MAX = 2 * 1024 * 1024;

/** Long answers are made one at a time, so that not many are held in part between their turns. */
const answering = new OneAtATime();

const JSON_CONTENT_TYPE = "application/json";
const WAIT_MS_DEFAULT = 500;

/** The largest message that a node takes, in bytes. */
export function messageBytesMax({ writes }: Pick<RegionService, "writes">): number {
  return Math.max(MESSAGE_BYTES_MAX, 2 * writes.valueBytesMax);
}

/** Requests that a node answers from its data; the others are about the connection itself. */
export type DataRequest = Exclude<SocketRequest, { readonly type: ConnectionRequest }>;

type ConnectionRequest = "auth" | "ping" | "watch" | "unwatch";

/** Of these, those that wait for the position of a session. */
export type AdmittedRequest = Exclude<DataRequest, { readonly type: "release" }>;

/** Whether a request is answered from the data. */
export function isDataRequest(request: SocketRequest): request is DataRequest {
  return Object.hasOwn(OPERATIONS, request.type);
}

/** Where a request is done, and how its result is written. */
export interface OperationContext<Part extends Said = Said> {
  readonly service: RegionService;
  readonly form: SocketForm<Part>;
  /** Lets a request in, as `RequestAdmission.admit` does, and a read once it is its turn. */
  readonly admit: (request: AdmittedRequest, stale?: boolean) => Promise<void>;
}

/** Does what a request asks for, and resolves to its result. Rejects with the errors of the HTTP API. */
export function operate(context: OperationContext, request: DataRequest): Promise<Said> {
  const operation = OPERATIONS[request.type] as Operation<SocketRequestType>;
  return operation(context, request);
}

type Operation<Type extends SocketRequestType> = (
  context: OperationContext,
  request: SocketRequestOf<Type>,
) => Promise<Said>;

const OPERATIONS: { readonly [Type in DataRequest["type"]]: Operation<Type> } = {
  get,
  set,
  delete: remove,
  touch,
  getMany,
  setMany,
  deleteMany,
  hasMany,
  pull,
  lease,
  release,
  entries,
};

async function get(
  { service, form, admit }: OperationContext,
  request: SocketRequestOf<"get">,
): Promise<Said> {
  const { encoding, ifNoneMatch, stale } = request;
  const key = checkClientKey(request.key);
  await admit(request, stale);
  const found = service.reads.find(key);
  if (found === undefined) throw keyNotFound(key);
  const face = new EntryFace(found.record);
  if (ifNoneMatch !== undefined && noneMatchNames(ifNoneMatch, face.etag)) {
    return form.unchanged(found.record.entry(), face);
  }
  return form.found(found.record.entry(), face, encoding);
}

async function set(
  { service, form, admit }: OperationContext,
  request: SocketRequestOf<"set">,
): Promise<Said> {
  const item = setRequestOf(service, request);
  const ack = ackOf(service, request);
  const condition = conditionsOf(request);
  await admit(request);
  return writtenResult(form, await service.writes.set([item], ack, condition));
}

async function remove(
  { service, form, admit }: OperationContext,
  request: SocketRequestOf<"delete">,
): Promise<Said> {
  const key = checkClientKey(request.key);
  const ack = ackOf(service, request);
  const condition = conditionsOf(request);
  await admit(request);
  const result = await service.writes.delete(key, ack, condition);
  return writtenResult(form, result, { deleted: result.deleted });
}

async function touch(
  { service, form, admit }: OperationContext,
  request: SocketRequestOf<"touch">,
): Promise<Said> {
  const { ttl, expiresAt } = request;
  const key = checkClientKey(request.key);
  const until = expiresAt === undefined ? undefined : String(expiresAt);
  const life = readLife(textOf(ttl), until, service.time.nowMs());
  const ack = ackOf(service, request);
  await admit(request);
  const bytes = service.reads.peek(key)?.value.byteLength ?? 0;
  const result = await service.writes.touch(key, life, bytes, ack);
  if (result.entries.length === 0) throw keyNotFound(key);
  return writtenResult(form, result);
}

async function getMany(
  { service, form, admit }: OperationContext,
  request: SocketRequestOf<"getMany">,
): Promise<Said> {
  const keys = request.keys.map(checkClientKey);
  await admit(request);
  return answering.run(() => many({ service, form }, keys, request.encoding));
}

async function many(
  { service, form }: Pick<OperationContext, "service" | "form">,
  keys: readonly string[],
  encoding: ValueEncoding | undefined,
): Promise<Said> {
  const [parts, steps]: [Said[], Steps] = [[], new Steps()];
  let length = 0;
  for (const key of keys) {
    const record = service.reads.find(key)?.record;
    const part = form.oneOfMany(key, record?.entry(), record && new EntryFace(record), encoding);
    length += part.length;
    checkBytes("one answer", length, messageBytesMax(service));
    parts.push(part);
    await steps.spend(part.length);
  }
  return form.many(parts);
}

async function setMany(
  { service, form, admit }: OperationContext,
  request: SocketRequestOf<"setMany">,
): Promise<Said> {
  const items = request.entries.map((item) => setRequestOf(service, item));
  const ack = ackOf(service, request);
  await admit(request);
  const { entries: all, acknowledged } = await service.writes.set(items, ack);
  return form.plain({ entries: all.map(factsOf), acknowledged });
}

async function deleteMany(
  { service, form, admit }: OperationContext,
  request: SocketRequestOf<"deleteMany">,
): Promise<Said> {
  const keys = [...new Set(request.keys.map(checkClientKey))];
  const ack = ackOf(service, request);
  await admit(request);
  const { entries: all, deleted, acknowledged } = await service.writes.deleteAll(keys, ack);
  const told = all.map((entry) => {
    const { key, etag } = factsOf(entry);
    return { key, etag, deleted: deleted.has(key) };
  });
  return form.plain({ entries: told, acknowledged });
}

async function hasMany(
  { service, form, admit }: OperationContext,
  request: SocketRequestOf<"hasMany">,
): Promise<Said> {
  const keys = request.keys.map(checkClientKey);
  await admit(request);
  const told: object[] = [];
  const steps = new Steps();
  for (const key of keys) {
    const record = service.reads.find(key)?.record;
    const etag = record && new EntryFace(record).etag;
    told.push(etag === undefined ? { key, found: false } : { key, found: true, etag });
    await steps.spend(record?.bytes ?? 0);
  }
  return form.plain({ entries: told });
}

async function pull(
  { service, form, admit }: OperationContext,
  request: SocketRequestOf<"pull">,
): Promise<Said> {
  const key = checkClientKey(request.key);
  const ack = ackOf(service, request);
  await admit(request);
  // The value leaves the store before the answer is sent. Waiting for a wider acknowledgement would make it more likely that both are lost.
  const held = await service.writes.pull(key, ack);
  if (held === undefined) throw keyNotFound(key);
  return form.found(held, faceOf(held), undefined);
}

async function lease(
  { service, form, admit }: OperationContext,
  request: SocketRequestOf<"lease">,
): Promise<Said> {
  const key = checkClientKey(request.key);
  const { leases, writes } = service;
  const checkWanted = (): void => writes.checkDeadline(request.deadlineMs);
  const terms = { ...readLease(textOf(request.ttl), textOf(request.wait)), checkWanted };
  await admit(request);
  const id = await leases.acquire(key, terms);
  return form.plain({ key, lease: id ?? null });
}

async function release(
  { service, form }: OperationContext,
  request: SocketRequestOf<"release">,
): Promise<Said> {
  const key = checkClientKey(request.key);
  service.writes.checkDeadline(request.deadlineMs);
  return form.plain({ key, released: service.leases.release(key, request.lease) });
}

async function entries(
  { service, form, admit }: OperationContext,
  request: SocketRequestOf<"entries">,
): Promise<Said> {
  const { prefix = "", after, limit, values } = request;
  const bounds = { min: 1, max: 1_000, fallback: 100 };
  await admit(request);
  const page = await service.reads.list({
    prefix,
    limit: readWhole("limit", textOf(limit), bounds),
    ...(after !== undefined && { after }),
  });
  if (values !== true) return form.plain(pageOf(page));
  return answering.run(() => form.page(service, page));
}

function writtenResult(
  form: SocketForm,
  { entries: all, acknowledged }: WriteResult,
  more: object = {},
): Said {
  const [entry] = all;
  if (entry === undefined)
    throw new MeridianError("INTERNAL", "Expected a written entry, got none");
  return form.plain({ ...factsOf(entry), ...more, acknowledged });
}

function setRequestOf({ writes }: RegionService, item: SocketItem): SetRequest {
  const { value: given } = item;
  const { encoding = given instanceof Uint8Array ? "base64" : "utf8" } = item;
  const key = checkClientKey(item.key);
  // Bytes are a part of the message that they came in, which is not kept.
  const value = given instanceof Uint8Array ? given.slice() : valueOf(given, encoding);
  writes.checkLength(value.byteLength);
  const { contentType = CONTENT_TYPES[encoding] } = item;
  checkContentType(contentType);
  const ttlMs = ttlMsOf(item.ttl);
  return { key, value, contentType, ...(ttlMs !== undefined && { ttlMs }) };
}

const CONTENT_TYPES: Readonly<Record<ValueEncoding, string>> = {
  utf8: TEXT_CONTENT_TYPE,
  base64: CONTENT_TYPE_DEFAULT,
  json: JSON_CONTENT_TYPE,
};

function valueOf(given: unknown, encoding: ValueEncoding): Uint8Array {
  if (encoding === "json") return new TextEncoder().encode(JSON.stringify(given));
  if (typeof given === "string") return bytesOf(given, encoding);
  throw new MeridianError(
    "INVALID_BODY",
    `Expected \`value\` to be text, as \`encoding\` is \`${encoding}\`, got ${given === null ? "null" : `a value of type ${typeof given}`}`,
  );
}

interface Traced {
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

interface Ack extends Traced {
  readonly ack?: string | number | undefined;
  readonly timeout?: string | number | undefined;
  readonly deadlineMs?: number | undefined;
}

/** How a write is to be acknowledged, until when it may be made, and what it is a part of. Throws `DEADLINE_PASSED` if that is over already. */
function ackOf(
  { writes }: RegionService,
  { ack, timeout, deadlineMs, traceparent, tracestate }: Ack,
): AckRequest {
  writes.checkDeadline(deadlineMs);
  const asked = { ...readAck(textOf(ack), textOf(timeout)), deadlineMs };
  const trace = traceparent === undefined ? undefined : parseTraceContext(traceparent, tracestate);
  return trace === undefined ? asked : { ...asked, trace };
}

function textOf(value: string | number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

interface Conditions {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}

function conditionsOf({ ifMatch, ifNoneMatch }: Conditions): Condition | undefined {
  return conditionOf((name) => (name === "if-match" ? ifMatch : ifNoneMatch));
}

/** The members by which a request says what session it belongs to. */
interface SessionMembers {
  readonly position?: string | undefined;
  readonly waitMs?: number | undefined;
}

/** The session of a request. Throws `INVALID_POSITION`. */
export function sessionOf(
  { position, waitMs = WAIT_MS_DEFAULT }: SessionMembers,
  stale: boolean = false,
): SessionNeeds {
  if (position === undefined) return { waitMs, stale };
  return { position: parsePosition(position), waitMs, stale };
}
