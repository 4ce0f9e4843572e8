/** Requests in the binary subprotocol: one table says which members each type has, in which order, and how each is written. */
import { MeridianError } from "../../errors.ts";
import type { ReadRequest } from "../read-request.ts";
import { KEYS_MAX, LIMIT_MAX, WAIT_MS_MAX } from "../limits.ts";
import type { SocketItem, SocketRequest, SocketRequestType } from "../requests.ts";
import { BadBytes, ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";

/** How a member is written. A `flag` has no bytes: it is true where its bit is set. */
type Kind =
  | "text"
  | "value"
  | "wait"
  | "limit"
  | "id"
  | "instant"
  | "time"
  | "flag"
  | "keys"
  | "items";

type Member = readonly [name: string, kind: Kind];

interface BinaryShape {
  readonly code: number;
  readonly members: readonly Member[];
  /** Those that may be left out. The bit of the first one is 1, that of the next one 2, and so on. */
  readonly optional: readonly Member[];
}

/** A member that may be left out, and its bit. */
type Field = readonly [bit: number, ...Member];

/** The members of a message or of a part of one, as they are written. */
interface Layout {
  readonly members: readonly Member[];
  readonly fields: readonly Field[];
  /** All bits that stand for something. */
  readonly bits: number;
}

const SESSION: readonly Member[] = [
  ["position", "text"],
  ["waitMs", "wait"],
];
const ACK: readonly Member[] = [
  ["ack", "text"],
  ["timeout", "text"],
];
const CONDITIONS: readonly Member[] = [
  ["ifMatch", "text"],
  ["ifNoneMatch", "text"],
];
const CONTENT: readonly Member[] = [
  ["contentType", "text"],
  ["ttl", "text"],
];
const KEY: Member = ["key", "text"];
const VALUE: Member = ["value", "value"];
const KEYS: Member = ["keys", "keys"];

/** The members of an entry of `setMany`. */
const ITEM: Layout = layoutOf({ members: [KEY, VALUE], optional: CONTENT });

/** What a request is a part of, by the same bits in all that are answered from data. The bits between are for members to come. */
const TRACE: readonly Field[] = [
  [1 << 14, "traceparent", "text"],
  [1 << 15, "tracestate", "text"],
];

/** Until when a write may be made, by the same bit in all that change something. */
const DEADLINE: readonly Field[] = [[1 << 13, "deadlineMs", "time"]];

/** Requests that change something. */
const CHANGES: ReadonlySet<string> = new Set([
  "set",
  "delete",
  "touch",
  "setMany",
  "deleteMany",
  "pull",
  "lease",
  "release",
]);

/** Requests about the connection itself are a part of nothing. */
const UNTRACED: ReadonlySet<string> = new Set(["auth", "ping", "watch", "unwatch"]);

/** Each type of request, as bytes; those that change something may also have `deadlineMs`, and those that are answered from data `traceparent` and `tracestate`. */
export const BINARY_REQUESTS: Readonly<Record<SocketRequestType, BinaryShape>> = {
  auth: { code: 1, members: [["token", "text"]], optional: [] },
  ping: { code: 2, members: [], optional: [] },
  get: {
    code: 3,
    members: [KEY],
    optional: [...SESSION, ["ifNoneMatch", "text"], ["stale", "flag"]],
  },
  set: {
    code: 4,
    members: [KEY, VALUE],
    optional: [...SESSION, ...ACK, ...CONDITIONS, ...CONTENT],
  },
  delete: { code: 5, members: [KEY], optional: [...SESSION, ...ACK, ...CONDITIONS] },
  touch: {
    code: 6,
    members: [KEY],
    optional: [...SESSION, ...ACK, ["ttl", "text"], ["expiresAt", "instant"]],
  },
  getMany: { code: 7, members: [KEYS], optional: SESSION },
  setMany: { code: 8, members: [["entries", "items"]], optional: [...SESSION, ...ACK] },
  deleteMany: { code: 9, members: [KEYS], optional: [...SESSION, ...ACK] },
  entries: {
    code: 10,
    members: [],
    optional: [
      ...SESSION,
      ["prefix", "text"],
      ["after", "text"],
      ["limit", "limit"],
      ["values", "flag"],
    ],
  },
  watch: {
    code: 11,
    members: [],
    optional: [
      ...SESSION,
      KEY,
      ["prefix", "text"],
      ["values", "flag"],
      ["resume", "text"],
      ["positions", "flag"],
    ],
  },
  unwatch: { code: 12, members: [["watch", "id"]], optional: [] },
  hasMany: { code: 13, members: [KEYS], optional: SESSION },
  pull: { code: 14, members: [KEY], optional: SESSION },
  lease: { code: 15, members: [KEY], optional: [...SESSION, ["ttl", "text"], ["wait", "text"]] },
  release: { code: 16, members: [KEY, ["lease", "text"]], optional: [] },
};

const LAYOUTS: ReadonlyMap<string, Layout> = new Map(
  Object.entries(BINARY_REQUESTS).map(([type, shape]) => [
    type,
    layoutOf(shape, [...(CHANGES.has(type) ? DEADLINE : []), ...(UNTRACED.has(type) ? [] : TRACE)]),
  ]),
);

const TYPES: ReadonlyMap<number, string> = new Map(
  Object.entries(BINARY_REQUESTS).map(([type, { code }]) => [code, type]),
);

function layoutOf(
  { members, optional }: Omit<BinaryShape, "code">,
  more: readonly Field[] = [],
): Layout {
  const fields = [...optional.map((member, at): Field => [1 << at, ...member]), ...more];
  return { members, fields, bits: fields.reduce((bits, [bit]) => bits | bit, 0) };
}

/** The largest id of a request. */
export const BINARY_ID_MAX = 0xff_ff_ff_fe;

/** The bytes of a request. Values are bytes, and ids are whole numbers. Throws `RangeError` for a text of more than 65 535 bytes. */
export function encodeBinaryRequest(request: BinaryRequest): Uint8Array {
  const { type, id } = request;
  const given = request as Readonly<Record<string, unknown>>;
  const writer = new ByteWriter(sizeOf(given));
  writer.u8(BINARY_REQUESTS[type].code).u32(id);
  writeMembers(writer, LAYOUTS.get(type) ?? ITEM, given);
  return writer.end();
}

/** A request that has values as bytes, and a number as its id. */
export type BinaryRequest = SocketRequest & { readonly id: number };

function sizeOf({ value }: Readonly<Record<string, unknown>>): number {
  return 128 + (value instanceof Uint8Array ? value.length : 0);
}

function writeMembers(
  writer: ByteWriter,
  { members, fields }: Layout,
  given: Readonly<Record<string, unknown>>,
): void {
  let bits = 0;
  for (const [bit, name, kind] of fields) {
    const value = given[name];
    if (value !== undefined && (kind !== "flag" || value === true)) bits |= bit;
  }
  writer.u16(bits);
  for (const [name, kind] of members) writeMember(writer, kind, given[name]);
  for (const [bit, name, kind] of fields) {
    if ((bits & bit) !== 0) writeMember(writer, kind, given[name]);
  }
}

function writeMember(writer: ByteWriter, kind: Kind, value: unknown): void {
  switch (kind) {
    case "text":
      writer.text(String(value));
      return;
    case "value":
      writer.value(value as Uint8Array);
      return;
    case "wait":
    case "limit":
      writer.u16(value as number);
      return;
    case "id":
      writer.u32(value as number);
      return;
    case "instant":
      writer.f64(value === "never" ? 0 : (value as number));
      return;
    case "time":
      writer.f64(value as number);
      return;
    case "flag":
      return;
    case "keys":
      writer.u16((value as readonly string[]).length);
      for (const key of value as readonly string[]) writer.text(key);
      return;
    case "items":
      writer.u16((value as readonly SocketItem[]).length);
      for (const item of value as readonly SocketItem[]) writeMembers(writer, ITEM, { ...item });
  }
}

/** Reads a message of a client. What is wrong with it has the code `MALFORMED_MESSAGE`, `INVALID_BODY` or `UNKNOWN_OPTION`. */
export function readBinaryRequest(message: Uint8Array): ReadRequest {
  const reader = new ByteReader(message);
  let id: number | null = null;
  try {
    const code = reader.u8();
    id = idOf(reader.u32());
    const type = TYPES.get(code);
    const layout = LAYOUTS.get(type ?? "");
    if (type === undefined || layout === undefined) {
      throw new BadBytes(`Expected a type from 1 to ${TYPES.size}, got ${code}`);
    }
    const request: Record<string, unknown> = { id, type };
    readMembers(reader, layout, type, request);
    reader.end();
    return { id, request: request as SocketRequest };
  } catch (cause) {
    if (cause instanceof MeridianError) return { id, error: cause };
    if (cause instanceof BadBytes) {
      return { id, error: new MeridianError("MALFORMED_MESSAGE", cause.message) };
    }
    throw cause;
  }
}

function idOf(id: number): number {
  if (id <= BINARY_ID_MAX) return id;
  throw new BadBytes(`Expected an id from 0 to ${BINARY_ID_MAX}, got ${id}`);
}

function readMembers(
  reader: ByteReader,
  { members, fields, bits: known }: Layout,
  what: string,
  into: Record<string, unknown>,
): void {
  const bits = reader.u16();
  if ((bits & ~known) !== 0) {
    const said = `Expected bits of the ${fields.length} members that \`${what}\` may have, got ${bits}`;
    throw new MeridianError("UNKNOWN_OPTION", said);
  }
  for (const [name, kind] of members) into[name] = readMember(reader, name, kind);
  for (const [bit, name, kind] of fields) {
    if ((bits & bit) !== 0) into[name] = readMember(reader, name, kind);
  }
}

function readMember(reader: ByteReader, name: string, kind: Kind): unknown {
  switch (kind) {
    case "text":
      return reader.text();
    case "value":
      return reader.value();
    case "wait":
      return within(name, reader.u16(), 0, WAIT_MS_MAX);
    case "limit":
      return within(name, reader.u16(), 1, LIMIT_MAX);
    case "id":
      return idOf(reader.u32());
    case "instant":
      return instantOf(reader.f64());
    case "time":
      return timeOf(name, reader.f64());
    case "flag":
      return true;
    case "keys":
      return listOf(name, reader, () => reader.text());
    case "items":
      return listOf(name, reader, () => {
        const item: Record<string, unknown> = {};
        readMembers(reader, ITEM, "an entry", item);
        return item;
      });
  }
}

/** A list. Its length is checked before anything of it is read. */
function listOf<Item>(name: string, reader: ByteReader, item: () => Item): readonly Item[] {
  const count = within(`the length of \`${name}\``, reader.u16(), 1, KEYS_MAX);
  return Array.from({ length: count }, item);
}

function instantOf(ms: number): number | "never" {
  if (ms === 0) return "never";
  if (Number.isFinite(ms)) return ms;
  throw new MeridianError("INVALID_BODY", `Expected \`expiresAt\` to be a number, got ${ms}`);
}

function timeOf(name: string, ms: number): number {
  if (Number.isSafeInteger(ms) && ms >= 0) return ms;
  throw new MeridianError("INVALID_BODY", `Expected ${name} as a whole number from 0, got ${ms}`);
}

function within(name: string, value: number, min: number, max: number): number {
  if (value >= min && value <= max) return value;
  throw new MeridianError("INVALID_BODY", `Expected ${name} from ${min} to ${max}, got ${value}`);
}
