/** Live entries in JSON answers. */
import { isUtf8 } from "node:buffer";

import { MeridianError, type Entry } from "@meridian/protocol";
import type { Described, found } from "@meridian/protocol/http-api";
import type { EntryFace } from "./entry-face.ts";

/** A live entry in an answer. */
export type FoundEntry = Described<typeof found>;

/** A live entry as JSON tells of it. */
export function describeFound(
  { key, value, expiresAtMs }: Entry,
  { contentType, etag }: EntryFace,
): FoundEntry {
  return {
    key,
    found: true,
    ...textOrBase64(value),
    contentType,
    etag,
    expiresAtMs: expiresAtMs === 0 ? null : expiresAtMs,
  };
}

/** A value in JSON: text where its bytes are UTF-8 that JSON can say shortly, else base64. */
export function textOrBase64(value: Uint8Array): Pick<FoundEntry, "value" | "encoding"> {
  const encoding = isUtf8(value) && isShortAsJson(value) ? "utf8" : "base64";
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return { value: bytes.toString(encoding), encoding };
}

/** Whether a text in JSON takes no more than about twice its bytes, if it is long: most control characters take six. */
export function isShortAsJson(value: Uint8Array): boolean {
  if (value.byteLength <= SHORT_BYTES) return true;
  let controls = 0;
  for (const byte of value) if (byte < 0x20 && !SHORT_ESCAPES.has(byte)) controls += 1;
  return 4 * controls <= value.byteLength;
}

const SHORT_BYTES = 1_024;

/** The control characters that take two bytes: `\b`, `\t`, `\n`, `\f` and `\r`. */
const SHORT_ESCAPES: ReadonlySet<number> = new Set([0x08, 0x09, 0x0a, 0x0c, 0x0d]);

/** The error of a key that has no live value. */
export function keyNotFound(key: string): MeridianError {
  return new MeridianError("KEY_NOT_FOUND", `Expected a live value for key \`${key}\`, got none`, {
    details: { key },
  });
}
