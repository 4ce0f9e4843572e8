/** An entry as `export` writes it and `import` reads it: one JSON object a line. */
import type { RawEntry } from "@meridian/client";
import { decodeUtf8, isBase64, MeridianError } from "@meridian/protocol";

/** The contents of a line. */
export interface EntryLine {
  readonly key: string;
  readonly value: Uint8Array;
  readonly contentType: string;
  /** When the entry expires, in milliseconds since the Unix epoch; null for never. */
  readonly expiresAtMs: number | null;
}

/** The members that describe an entry in JSON: bytes that are UTF-8 as text, others in base64. */
export function entryJson(entry: RawEntry): Readonly<Record<string, unknown>> {
  const { value, contentType, etag, expiresAtMs } = entry;
  const about = { contentType, etag, expiresAtMs: expiresAtMs ?? null };
  try {
    return { value: decodeUtf8(value), encoding: "utf8", ...about };
  } catch {
    return { value: Buffer.from(value).toString("base64"), encoding: "base64", ...about };
  }
}

/** The line of an entry, with its line break. */
export function encodeEntryLine(key: string, entry: RawEntry): string {
  return `${JSON.stringify({ key, ...entryJson(entry) })}\n`;
}

/**
 * Reads a line. Without `encoding` the value is text; without `contentType` it is `application/octet-stream`; without
 * `expiresAtMs` it does not expire. Other members are ignored. Throws `INVALID_ARGUMENT`, which names the line.
 */
export function decodeEntryLine(text: string, line: number): EntryLine {
  const said = parse(text, line);
  const { key, value, encoding = "utf8", contentType, expiresAtMs = null } = said;
  if (typeof key !== "string") throw wrong(line, "`key` as text", key);
  if (typeof value !== "string") throw wrong(line, "`value` as text", value);
  if (encoding !== "utf8" && encoding !== "base64") {
    throw wrong(line, "`encoding` as `utf8` or `base64`", encoding);
  }
  if (encoding === "base64" && !isBase64(value)) throw wrong(line, "`value` in base64", value);
  if (contentType !== undefined && typeof contentType !== "string") {
    throw wrong(line, "`contentType` as text", contentType);
  }
  if (expiresAtMs !== null && !(Number.isSafeInteger(expiresAtMs) && Number(expiresAtMs) > 0)) {
    throw wrong(line, "`expiresAtMs` as null or a whole number of milliseconds", expiresAtMs);
  }
  return {
    key,
    value: Buffer.from(value, encoding),
    contentType: contentType ?? "application/octet-stream",
    expiresAtMs: expiresAtMs === null ? null : Number(expiresAtMs),
  };
}

function parse(text: string, line: number): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new MeridianError("INVALID_ARGUMENT", `line ${line}: Expected JSON: ${said}`, { cause });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw wrong(line, "an object", parsed);
  }
  return parsed as Readonly<Record<string, unknown>>;
}

function wrong(line: number, expected: string, got: unknown): MeridianError {
  const shown = (JSON.stringify(got) ?? "nothing").slice(0, 60);
  return new MeridianError("INVALID_ARGUMENT", `line ${line}: Expected ${expected}, got ${shown}`);
}
