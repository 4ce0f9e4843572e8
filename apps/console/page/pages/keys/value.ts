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

/** The value as JSON with line breaks; undefined if it is none. */
export function jsonOf({ value, encoding }: ToldValue): string | undefined {
  if (encoding !== "utf8") return undefined;
  try {
    return JSON.stringify(JSON.parse(value), undefined, 2);
  } catch {
    return undefined;
  }
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
  return /^\s*[[{]/.test(told.value) && jsonOf(told) !== undefined ? "json" : "text";
}
