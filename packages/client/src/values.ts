/**
 * Values: what the caller has, and the bytes and content type that stand for it.
 *
 *   application/json, …+json   any JSON value
 *   text/…                     a string
 *   anything else              bytes (Uint8Array)
 */
import { decodeUtf8, MeridianError } from "@meridian/protocol";

import { jsonTextOf } from "./json-value.ts";

/** A value as it is stored. */
export interface EncodedValue {
  readonly bytes: Uint8Array;
  readonly contentType: string;
}

const JSON_TYPE = "application/json";
const BYTES_TYPE = "application/octet-stream";

const encoder = new TextEncoder();

/**
 * The stored form of a value. Without `contentType`, a `Uint8Array` is `application/octet-stream` and anything else
 * JSON. Throws `INVALID_ARGUMENT` for what the content type cannot hold, also deep inside.
 */
export function encodeValue(value: unknown, contentType?: string): EncodedValue {
  if (value instanceof Uint8Array) return { bytes: value, contentType: contentType ?? BYTES_TYPE };
  const type = contentType ?? JSON_TYPE;
  if (isJson(type)) return { bytes: encoder.encode(jsonTextOf(value)), contentType: type };
  if (typeof value === "string") {
    if (!/\p{Surrogate}/u.test(value)) return { bytes: encoder.encode(value), contentType: type };
    const message = "Expected text of well-formed Unicode, got a lone surrogate";
    throw new MeridianError("INVALID_ARGUMENT", message);
  }
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected a string or bytes as a value of type \`${type}\`, got ${describe(value)}`,
  );
}

/** A value as it came in an answer. Invariant: it has bytes or text, or both. */
export interface ReceivedValue {
  readonly contentType: string;
  readonly bytes?: Uint8Array | undefined;
  /** Kept, so that the bytes are decoded once, however many want the value. */
  text?: string | undefined;
}

/** The value that stored bytes stand for. Throws `INVALID_BODY` where they are not what the content type says. */
export function decodeValue(key: string, received: ReceivedValue): unknown {
  const { contentType } = received;
  const json = isJson(contentType);
  if (!json && !/^text\//i.test(contentType)) return bytesOf(received);
  try {
    const text = (received.text ??= decodeUtf8(bytesOf(received)));
    return json ? JSON.parse(text) : text;
  } catch (cause) {
    throw new MeridianError(
      "INVALID_BODY",
      `Expected the value of \`${key}\` to be ${json ? "JSON" : "UTF-8 text"}, as its content type \`${contentType}\` says, got other bytes; \`getRaw\` gives them`,
      { cause },
    );
  }
}

/** The text of a value that JSON or text stands for; undefined for bytes, and where its bytes are no text. */
export function plainTextOf(received: ReceivedValue): string | undefined {
  const { contentType, bytes, text } = received;
  if (text !== undefined || bytes === undefined) return text;
  if (!isJson(contentType) && !/^text\//i.test(contentType)) return undefined;
  try {
    return decodeUtf8(bytes);
  } catch {
    return undefined;
  }
}

/** The stored bytes. */
export function bytesOf({ bytes, text = "" }: ReceivedValue): Uint8Array {
  return bytes ?? encoder.encode(text);
}

function isJson(contentType: string): boolean {
  return (
    contentType === JSON_TYPE ||
    /^(application\/json|[\w.!#$&^-]+\/[\w.!#$&^-]+\+json)\s*(;|$)/i.test(contentType)
  );
}

function describe(value: unknown): string {
  if (typeof value !== "object" || value === null) return `\`${String(value)}\``;
  return `an object of class ${value.constructor?.name ?? "null"}`;
}
