import { expect, it } from "vitest";

import { areEqualBytes } from "./equal-bytes.ts";

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7);

it("bytes are equal if they are the same, however many they are", () => {
  expect(areEqualBytes(bytes(1_000_000), bytes(1_000_000))).toBe(true);
  expect(areEqualBytes(bytes(0), bytes(0))).toBe(true);
  expect({ value: bytes(3) }).toEqual({ value: bytes(3) });
});

it.each([
  ["other bytes", Uint8Array.of(7, 8)],
  ["fewer bytes", bytes(1)],
  ["bytes of another class", Buffer.from([7, 7])],
  ["no bytes", "\u0007\u0007"],
])("%s are compared as usual", (_, other) => {
  expect(areEqualBytes(bytes(2), other)).toBe(undefined);
});

it("a value that differs in one byte is not equal, anywhere in what is compared", () => {
  expect([{ value: bytes(2) }]).not.toEqual([{ value: Uint8Array.of(7, 8) }]);
  expect([{ value: bytes(2) }]).not.toEqual([{ value: bytes(3) }]);
});
