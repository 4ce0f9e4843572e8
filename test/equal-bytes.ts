/**
 * Tells equal bytes in one step. Vitest compares two lists of bytes byte by byte, with an assertion's machinery for each: a second for a megabyte.
 * Lists that differ, or are of different classes, are left to Vitest, which says how.
 */
import { expect } from "vitest";

const DONE: unique symbol = Symbol.for("meridian.equal-bytes");

const shared = globalThis as { [DONE]?: true };

/** True for lists of the same bytes and the same class; undefined for anything else, which is compared as usual. */
export function areEqualBytes(a: unknown, b: unknown): true | undefined {
  if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array)) return undefined;
  return a.constructor === b.constructor && Buffer.compare(a, b) === 0 ? true : undefined;
}

// A process runs many files, and this one before each of them.
if (shared[DONE] === undefined) {
  shared[DONE] = true;
  expect.addEqualityTesters([areEqualBytes]);
}
