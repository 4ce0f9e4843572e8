/** Values as the command line has them. */
import { decodeUtf8, MeridianError } from "@meridian/protocol";

/** A value and its content type. */
export interface GivenValue {
  readonly value: Uint8Array;
  readonly contentType: string;
}

const BYTES_TYPE = "application/octet-stream";
const TEXT_TYPE = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json";

/** Names that stand for content types. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ["json", JSON_TYPE],
  ["text", TEXT_TYPE],
]);

/**
 * The value of an argument: JSON if it is valid JSON, and otherwise text, unless `type` says what it is. `set n 1`
 * stores the same as a program's `set("n", 1)`; the value of `set name Ada` is read by a program as the text `Ada`.
 */
export function argumentValue(argument: string, type: string | undefined): GivenValue {
  const standard = isJson(argument) ? JSON_TYPE : TEXT_TYPE;
  return typed(new TextEncoder().encode(argument), type ?? standard);
}

/** The value of bytes that were read. */
export function bytesValue(value: Uint8Array, type: string | undefined): GivenValue {
  return typed(value, type ?? BYTES_TYPE);
}

function typed(value: Uint8Array, type: string): GivenValue {
  const contentType = TYPES.get(type) ?? type;
  if (contentType === JSON_TYPE) checkJson(value);
  return { value, contentType };
}

/** Whether text is JSON that programs read without loss: not a number with more digits than a double has. */
function isJson(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value !== "number" || String(value) === text;
  } catch {
    return false;
  }
}

function checkJson(value: Uint8Array): void {
  try {
    JSON.parse(decodeUtf8(value));
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new MeridianError("INVALID_ARGUMENT", `Expected a JSON value: ${said}`, { cause });
  }
}
