/**
 * The shortest ways to the commonest answer: `GET /cache/<key>` for a key in memory. They answer exactly as
 * the app would, header for header, and take a request only if they are sure of that; all others go to the app.
 */
import type { ServerResponse } from "node:http";

import {
  admitAnswer,
  HeadText,
  writeBody,
  type OriginPolicy,
  type PlainHead,
  type PlainReader,
  type ShortPath,
} from "@meridian/http";
import { isReservedKey } from "@meridian/protocol";
import { SMALL_BYTES } from "@meridian/runtime";

import type { RequestAdmission } from "../../service/admission.ts";
import type { CachedRecord } from "../../service/cached-record.ts";
import type { RegionService } from "../../service/region-service.ts";
import { readSession } from "../api/arguments.ts";
import { EntryFace } from "../api/entry-face.ts";
import { ageOf, VALUE_HEADERS } from "./answers.ts";
import { KEY_PREFIX } from "./key-path.ts";

/**
 * Paths that every party reads alike: unreserved characters, slashes and escapes; no dot segment that a URL
 * parser would resolve, nor an escaped dot. The case of letters counts, as it does where the gate looks for what a path demands.
 */
const PLAIN_PATH = /^(?!.*(?:\/\.|%2[Ee]))\/cache\/[\w.~!$'()*,;:@&=+/%-]+$/;

/** The places of values in the list of headers; those behind the expiry are two later where there is one. */
const AT = {
  contentType: 1,
  contentLength: 3,
  etag: 5,
  age: 7,
  expiry: 9,
  position: 13 + VALUE_HEADERS.length,
} as const;

/** The two ways to hits in the memory of a service: from a request of node:http, and from the bytes of one. */
export interface HitPaths {
  readonly immediate: ShortPath;
  readonly read: PlainReader;
}

/** Builds both. */
export function hitPaths(service: RegionService, origins: OriginPolicy): HitPaths {
  // All answers of a kind share one list: it is written out before the next request is handled.
  const lasting = headerList(service, origins, []);
  const expiring = headerList(service, origins, ["Meridian-Expires-At"]);
  const [lastingText, expiringText] = [new HeadText(200, lasting), new HeadText(200, expiring)];
  const { reads, admission, time } = service;
  const headersOf = (record: CachedRecord): string[] => {
    const { expiresAtMs } = record;
    const face = new EntryFace(record);
    const expires = expiresAtMs !== 0;
    const headers = expires ? expiring : lasting;
    if (expires) headers[AT.expiry] = String(expiresAtMs);
    headers[AT.contentType] = face.contentType;
    headers[AT.contentLength] = face.length;
    headers[AT.etag] = face.etag;
    headers[AT.age] = ageOf(face, time.nowMs());
    headers[AT.position + (expires ? 2 : 0)] = admission.positionToken();
    return headers;
  };
  return {
    immediate: (incoming, outgoing) => {
      if (incoming.method !== "GET") return false;
      const key = plainKeyOf(incoming.url ?? "");
      if (key === undefined || hasHeader(incoming.rawHeaders, READ_HEADERS)) return false;
      const record = reads.hit(key);
      if (record === undefined) return false;
      const { bytes, text } = record;
      if (bytes > SMALL_BYTES && !isAdmitted(outgoing, bytes)) return false;
      outgoing.writeHead(200, headersOf(record));
      if (text === undefined) writeBody(outgoing, record.entry().value, bytes);
      else outgoing.end(text, "latin1");
      return true;
    },
    read: ({ path, head }) => {
      const key = plainKeyOf(path);
      if (key === undefined || !isMet(head, admission)) return undefined;
      const record = reads.hit(key, SMALL_BYTES);
      if (record === undefined) return undefined;
      const headers = headersOf(record);
      const text = headers === lasting ? lastingText : expiringText;
      return { head: text.of(headers), body: record.text ?? record.entry().value };
    },
  };
}

/** Whether what a read says of its session asks for nothing more. Throws if it makes no sense. */
function isMet({ position, waitMs }: PlainHead, admission: RequestAdmission): boolean {
  if (position === undefined && waitMs === undefined) return true;
  const said = { "meridian-position": position, "meridian-wait-ms": waitMs };
  const session = readSession((name) => said[name as keyof typeof said], false);
  return session.position === undefined || admission.hasReached(session.position);
}

/** Whether there is room for an answer of so many bytes. The app refuses where there is none. */
function isAdmitted(outgoing: ServerResponse, bytes: number): boolean {
  try {
    admitAnswer(outgoing, bytes);
    return true;
  } catch {
    return false;
  }
}

/** The headers of a hit in the order of the app's (`getEntry`), their values to be filled in. */
function headerList(
  service: RegionService,
  origins: OriginPolicy,
  more: readonly string[],
): string[] {
  const names = ["Content-Type", "Content-Length", "ETag", "Age", ...more];
  const blanks = names.flatMap((name) => [name, ""]);
  const known = ["Meridian-Cache", "memory", ...VALUE_HEADERS, "Meridian-Node", service.nodeId];
  return [...blanks, ...known, "Meridian-Position", "", ...origins.unnamed];
}

/** The key of a path in plain form; undefined for any other path. */
export function plainKeyOf(url: string): string | undefined {
  if (!PLAIN_PATH.test(url)) return undefined;
  const encoded = url.slice(KEY_PREFIX.length);
  if (!encoded.includes("%")) return encoded;
  try {
    const key = decodeURIComponent(encoded);
    return isReservedKey(key) ? undefined : key;
  } catch {
    return undefined;
  }
}

/** The headers that make a read something else than a plain one. */
const READ_HEADERS: readonly string[] = [
  "origin",
  "if-none-match",
  "meridian-position",
  "meridian-wait-ms",
];

/** Whether one of `names` is among the headers. */
function hasHeader(rawHeaders: readonly string[], names: readonly string[]): boolean {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    for (const wanted of names) {
      if (name.length === wanted.length && name.toLowerCase() === wanted) return true;
    }
  }
  return false;
}
