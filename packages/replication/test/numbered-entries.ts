import { stampTimeOf, type Entry } from "@meridian/protocol";

/** The key of that number: in order of the numbers. */
export const nameOf = (index: number): string => `k${String(index).padStart(5, "0")}`;

/** An entry of that key; the greater version has the greater stamp. */
export function entryOf(index: number, version: number): Entry {
  const time = stampTimeOf(Date.UTC(2025, 0, 1)) + index * 10 + version;
  const value = new Uint8Array([version]);
  const stamp = { time, origin: 5 };
  return { key: nameOf(index), value, contentType: "a/b", stamp, expiresAtMs: 0, deleted: false };
}
