import { describe, expect, it } from "vitest";
import { Slots } from "../src/slots.ts";
import { StringHasher } from "../src/string-hash.ts";
import { sampleOf } from "../src/string-index.ts";
import { place } from "./place.ts";

const COUNT = 100_000;
const SHAPES: [string, (id: number) => string][] = [
  ["numbers in the middle", (id) => `tenant:7:user:${id}:profile:v2`],
  ["numbers at the end", (id) => `tenant:7:user:${id}`],
  ["two numbers", (id) => `shop:${id % 317}:article:${Math.floor(id / 317)}`],
  ["padded numbers", (id) => `k${String(id).padStart(30, "0")}`],
  ["hexadecimal", (id) => Math.imul(id, 0x9e3779b1).toString(16).padStart(40, "f")],
];

/** Keys that share their hash with an earlier one; about COUNT² / 2^33 = 1 for a perfect hash. */
function duplicates(hasher: StringHasher, keyOf: (id: number) => string): number {
  const seen = new Set<number>();
  for (let id = 0; id < COUNT; id++) seen.add(hasher.hash(keyOf(id)));
  return COUNT - seen.size;
}

describe("hashes of strings", () => {
  it.each(SHAPES)("of whole keys hardly ever coincide: %s", (_, keyOf) => {
    for (const seed of [0, 1, -1, 0x12345678]) {
      expect(duplicates(new StringHasher(seed), keyOf)).toBeLessThan(10);
    }
  });

  it.each(SHAPES)("of the places learned from all keys hardly ever coincide: %s", (_, keyOf) => {
    const slots = new Slots(COUNT);
    for (let id = 0; id < COUNT; id++) place(slots, keyOf(id), id);
    const keys = sampleOf(slots);
    expect(keys.length).toBeGreaterThan(250);
    for (const seed of [0, 1, -1, 0x12345678]) {
      expect(duplicates(StringHasher.learned(seed, keys, false), keyOf)).toBeLessThan(10);
    }
  });

  it("are the same for the same text, however the string was made, and never 0", () => {
    const hasher = StringHasher.learned(
      5,
      Array.from({ length: 300 }, (_, id) => `some:key:number:${id}`),
      false,
    );
    const text = "some:key:number:123456";
    const parts = ["some:key:", "number:", "123456"].join("");
    expect(hasher.hash(parts)).toBe(hasher.hash(text));
    expect(hasher.hash(`xx${text}`.slice(2))).toBe(hasher.hash(text));
    expect(hasher.hash("")).not.toBe(0);
  });
});
