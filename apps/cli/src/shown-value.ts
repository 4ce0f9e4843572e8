/** How values look on a line, for people. */
import { decodeUtf8 } from "@meridian/protocol";

/** Characters that would break a line, or do something to a terminal. */
const UNSEEN = /[\p{Cc}\p{Cf}\u2028\u2029]/u;

/** Stored bytes: text as it is, unless some of it would not be seen; other bytes by their number. */
export function shownBytes(bytes: Uint8Array): string {
  try {
    return shownText(decodeUtf8(bytes));
  } catch {
    return `<${bytes.length} bytes>`;
  }
}

/** A value as the client gives it, in the same way. */
export function shownValue(value: unknown): string {
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  return shownText(typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
}

function shownText(text: string): string {
  return UNSEEN.test(text) ? JSON.stringify(text) : text;
}

/** An instant; `never` for none. */
export function instant(ms: number | undefined): string {
  return ms === undefined ? "never" : new Date(ms).toISOString();
}
