/**
 * Recognizes the commonest requests in the bytes as they come: a plain `GET`, and a plain `PUT` with its body. Plain is what every party on
 * the way reads alike, whatever parser it has: one request and no more, in the form of HTTP/1.1 that clients send, with headers that are
 * known here, each once. Everything else is for node:http, so nothing has to be refused here.
 */
import type { Socket } from "node:net";

import type { Answer } from "./answer.ts";

/** What the headers of a plain request say. */
export interface PlainHead {
  readonly host: string;
  readonly authorization: string | undefined;
  readonly position: string | undefined;
  readonly waitMs: string | undefined;
  readonly traceparent: string | undefined;
  /** The length of the body that is announced, in bytes; undefined if none is. */
  readonly bodyBytes: number | undefined;
  /** All of them, by their names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
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

/** A plain write. */
export interface PlainWrite extends PlainRead {
  /** In bytes that nothing else is written into. Small bodies share arrays of 16 KiB, so whoever keeps one for long copies it. */
  readonly body: Uint8Array;
  /** To cut the request with. */
  readonly socket: Pick<Socket, "destroy">;
}

/** Called with the answer to a plain write, in whichever form it was made. */
export type OnPlainAnswer = (answer: Answer | PlainAnswer) => void;

/**
 * Begins a plain write, and calls `onAnswer` with its answer, in a later turn or microtask. Returns what is to be called if the client goes before that;
 * undefined if it has done nothing, and never calls `onAnswer` then.
 */
export type PlainWriter = (write: PlainWrite, onAnswer: OnPlainAnswer) => (() => void) | undefined;

/** Heads of more bytes are not looked at. A token takes up to four kibibytes. */
const BYTES_MAX = 8 * 1024;

const START = "GET /";
const WRITE_START = "PUT /";
const VERSION = " HTTP/1.1";
const HEAD_END = "\r\n\r\n";

/** A name, and a value of printable ASCII with no space around it. */
const LINE = /^([A-Za-z-]+): ?([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)$/;

/** What common clients send: none of it changes the answer to a read, but for those that `PlainHead` names. */
const KNOWN: ReadonlySet<string> = new Set([
  "host",
  "connection",
  "user-agent",
  "accept",
  "accept-encoding",
  "accept-language",
  "sec-fetch-mode",
  "content-type",
  "content-length",
  "authorization",
  "meridian-position",
  "meridian-wait-ms",
  // It asks nothing of a read.
  "meridian-deadline",
  "traceparent",
  "tracestate",
]);

/** A length as clients write it. */
const LENGTH = /^(?:0|[1-9]\d{0,8})$/;

/** The parts of a request: its path, the text of its headers, and what follows them, if its method may have a body. */
export interface SplitPlain {
  readonly path: string;
  readonly lines: string;
  readonly body: Buffer | undefined;
}

/** The parts of a chunk that may be a plain request; undefined for everything else. */
export function splitPlain(chunk: Buffer): SplitPlain | undefined {
  const isWrite = chunk[0] === WRITE_START.charCodeAt(0);
  const bodyAt = isWrite ? chunk.indexOf(HEAD_END) + HEAD_END.length : chunk.byteLength;
  if (bodyAt < HEAD_END.length || bodyAt > BYTES_MAX) return undefined;
  const text = chunk.toString("latin1", 0, bodyAt);
  if (!text.startsWith(isWrite ? WRITE_START : START) || !text.endsWith(HEAD_END)) return undefined;
  const end = text.indexOf("\r\n");
  if (!text.startsWith(VERSION, end - VERSION.length)) return undefined;
  const lines = text.slice(end + 2);
  const [from, to] = [START.length - 1, end - VERSION.length];
  if (!isWrite) return { path: text.slice(from, to), lines, body: undefined };
  // The key is a part of it, and is kept: as a part of `text`, it would keep all of the head.
  return { path: chunk.toString("latin1", from, to), lines, body: chunk.subarray(bodyAt) };
}

/** What the headers of a plain request say, from their lines to the empty one; undefined if they are not plain. */
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
  const length = said.get("content-length");
  // Beyond the empty line there would be another request.
  if (at + 2 !== lines.length || host === undefined || connection !== "keep-alive")
    return undefined;
  if (length !== undefined && !LENGTH.test(length)) return undefined;
  return {
    host,
    authorization: said.get("authorization"),
    position: said.get("meridian-position"),
    waitMs: said.get("meridian-wait-ms"),
    traceparent: said.get("traceparent"),
    bodyBytes: length === undefined ? undefined : Number(length),
    headers: said,
  };
}
