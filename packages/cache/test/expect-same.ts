import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";

/** Expects a value. `expect` takes microseconds, and tests of many steps compare a million values: it is called only to say what differs. */
export function expectSame(got: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(got, expected)) expect(got).toStrictEqual(expected);
}
