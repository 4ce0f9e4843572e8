/** A value in the ways in which it can be shown. */

/** A value as a region tells it. */
export interface ToldValue {
  readonly value: string;
  readonly encoding: "utf8" | "base64";
  readonly contentType: string;
}

/** How a value is shown. */
export type ValueView = "text" | "json" | "hex" | "image";

/** So many characters are shown until more is asked for, and so many more each time. */
export const SHOWN_AT_FIRST = 4_096;
export const SHOWN_MORE = 65_536;

/** The only types that are shown as images, by how their bytes begin: none of them can hold code. */
const IMAGES: readonly (readonly [type: string, begin: readonly number[], at: number])[] = [
  ["image/png", [0x89, 0x50, 0x4e, 0x47], 0],
  ["image/jpeg", [0xff, 0xd8, 0xff], 0],
  ["image/gif", [0x47, 0x49, 0x46, 0x38], 0],
  ["image/webp", [0x57, 0x45, 0x42, 0x50], 8],
  ["image/avif", [0x66, 0x74, 0x79, 0x70, 0x61, 0x76, 0x69, 0x66], 4],
];

/** The bytes of a value. */
export function bytesOf({ value, encoding }: ToldValue): Uint8Array<ArrayBuffer> {
  if (encoding === "utf8") return new TextEncoder().encode(value);
  return Uint8Array.from(atob(value), (character) => character.charCodeAt(0));
}

/** The type of image that bytes begin as, whatever their content type says; undefined for what is shown as none. */
export function imageTypeOf(bytes: Uint8Array): string | undefined {
  const found = IMAGES.find(([, begin, at]) =>
    begin.every((byte, index) => bytes[at + index] === byte),
  );
  return found?.[0];
}

/** The value as JSON with line breaks, and else as it was written; undefined if it is none. */
export function jsonOf(told: ToldValue): string | undefined {
  return isJson(told) ? indented(told.value) : undefined;
}

function isJson({ value, encoding }: ToldValue): boolean {
  if (encoding !== "utf8") return false;
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}

/** Strings, punctuation, and numbers or words. */
const JSON_TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** Deeper levels begin no further to the right: each token may be one. */
const INDENTED_LEVELS_MAX = 32;
const LINE_BEGINS = Array.from(
  { length: INDENTED_LEVELS_MAX + 1 },
  (_, level) => `\n${"  ".repeat(level)}`,
);

/** The tokens of JSON, unchanged: numbers that JavaScript does not have, the order of names and doubled names are the value's. */
function indented(json: string): string {
  let text = "";
  let level = 0;
  let before = "";
  for (const token of json.match(JSON_TOKENS) ?? []) {
    const isAfterOpening = before === "{" || before === "[";
    const isClosing = token === "}" || token === "]";
    if (isClosing) level -= 1;
    if (before === "," || isAfterOpening !== isClosing) {
      text += LINE_BEGINS[Math.min(level, INDENTED_LEVELS_MAX)] ?? "";
    }
    text += token === ":" ? ": " : token;
    if (token === "{" || token === "[") level += 1;
    before = token;
  }
  return text;
}

/** Lines of sixteen bytes: where they are, the bytes, and what of them can be read. */
export function hexOf(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = Array.from(bytes.subarray(at, at + 16));
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = row.map((byte) => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : "·"));
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${text.join("")}`);
  }
  return lines.join("\n");
}

/** The view in which a value is seen best at first. */
export function firstView(told: ToldValue): ValueView {
  if (told.encoding === "base64") {
    return imageTypeOf(bytesOf(told).subarray(0, 16)) === undefined ? "hex" : "image";
  }
  return /^\s*[[{]/.test(told.value) && isJson(told) ? "json" : "text";
}
