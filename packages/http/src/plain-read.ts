/**
 * Recognizes the commonest request in the bytes as they come: a plain `GET`. Plain is what every party on the way reads alike,
 * whatever parser it has: one request and no more, in the form of HTTP/1.1 that clients send, with headers that are known here, each
 * once. Everything else is for node:http, so nothing has to be refused here.
 */

/** What the headers of a plain read say. */
export interface PlainHead {
  readonly host: string;
  readonly authorization: string | undefined;
  readonly position: string | undefined;
  readonly waitMs: string | undefined;
  readonly traceparent: string | undefined;
}

/** A plain read. */
export interface PlainRead {
  /** All that stands between the method and the version, from a slash on. Any character may be in it: readers take what they know. */
  readonly path: string;
  readonly head: PlainHead;
  /** The address of whoever asks. */
  readonly from: string | undefined;
}

/** An answer with the status 200. */
export interface PlainAnswer {
  /** The lines of its head, each with its end, but for those that tell of the connection. */
  readonly head: string;
  /** A text is in latin1: each character is a byte. */
  readonly body: Uint8Array | string;
}

/** Answers a plain read at once; undefined if it has done nothing. */
export type PlainReader = (read: PlainRead) => PlainAnswer | undefined;

/** Larger requests are not looked at, in bytes. A token takes up to four kibibytes. */
const BYTES_MAX = 8 * 1024;

const START = "GET /";
const VERSION = " HTTP/1.1";
const HEAD_END = "\r\n\r\n";

/** A name, and a value of printable ASCII with no space around it. */
const LINE = /^([A-Za-z-]+): ?([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)$/;

/** What common clients send with a read: none of it changes the answer, but for those that `PlainHead` names. */
const KNOWN: ReadonlySet<string> = new Set([
  "host",
  "connection",
  "user-agent",
  "accept",
  "accept-encoding",
  "accept-language",
  "sec-fetch-mode",
  "authorization",
  "meridian-position",
  "meridian-wait-ms",
  // It asks nothing of a read.
  "meridian-deadline",
  "traceparent",
  "tracestate",
]);

/** The path of a plain read, and the text of its headers; undefined for everything else. */
export function splitPlain(chunk: Buffer): { readonly path: string; lines: string } | undefined {
  if (chunk.byteLength > BYTES_MAX) return undefined;
  const text = chunk.toString("latin1");
  if (!text.startsWith(START) || !text.endsWith(HEAD_END)) return undefined;
  const end = text.indexOf("\r\n");
  if (!text.startsWith(VERSION, end - VERSION.length)) return undefined;
  return { path: text.slice(START.length - 1, end - VERSION.length), lines: text.slice(end + 2) };
}

/** What the headers of a plain read say, from their lines to the empty one; undefined if they are not plain. */
export function plainHeadOf(lines: string): PlainHead | undefined {
  const said = new Map<string, string>();
  let at = 0;
  for (let end = lines.indexOf("\r\n"); end > at; end = lines.indexOf("\r\n", at)) {
    const [, name = "", value = ""] = LINE.exec(lines.slice(at, end)) ?? [];
    const lower = name.toLowerCase();
    if (!KNOWN.has(lower) || said.has(lower)) return undefined;
    said.set(lower, value);
    at = end + 2;
  }
  const host = said.get("host");
  const connection = said.get("connection")?.toLowerCase() ?? "keep-alive";
  // Beyond the empty line there would be a body, or another request.
  if (at + 2 !== lines.length || host === undefined || connection !== "keep-alive")
    return undefined;
  return {
    host,
    authorization: said.get("authorization"),
    position: said.get("meridian-position"),
    waitMs: said.get("meridian-wait-ms"),
    traceparent: said.get("traceparent"),
  };
}
