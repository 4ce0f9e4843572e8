import { compareStamps, type Entry } from "@meridian/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";

import { compareHeld, EntryPacker, expiryOf, timeOf } from "../src/service/cached-record.ts";

const VALUE_MAX = 4_096;

const stamp = fc.record({
  time: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  origin: fc.integer({ min: 1, max: 2 ** 48 - 1 }),
});

const anyEntry: fc.Arbitrary<Entry> = fc
  .record({
    key: fc.string({ minLength: 1 }),
    value: fc.uint8Array({ maxLength: VALUE_MAX + 10 }),
    contentType: fc.constantFrom("text/plain", "application/json", "", "a/b; charset=ü"),
    stamp,
    expiresAtMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 8.64e15 })),
    deleted: fc.constant(false),
    attributes: fc.option(fc.uint8Array({ minLength: 1, maxLength: 9 }), { nil: undefined }),
  })
  .map(({ attributes, ...entry }) => (attributes === undefined ? entry : { ...entry, attributes }));

/** The entry with a typed array of its own as its value, to be compared. */
function plain(entry: Entry): Entry {
  return { ...entry, value: Uint8Array.from(entry.value) };
}

it.each([VALUE_MAX, 0])("what is held is the entry, where up to %i bytes are packed", (max) => {
  const packer = new EntryPacker(max);
  fc.assert(
    fc.property(anyEntry, stamp, (entry, other) => {
      const held = packer.hold(entry);
      const record = packer.recordOf(entry.key, held);
      expect(plain(record.entry())).toEqual(plain(entry));
      expect([expiryOf(held), timeOf(held)]).toEqual([entry.expiresAtMs, entry.stamp.time]);
      expect(compareHeld(held, entry.stamp)).toBe(0);
      expect(Math.sign(compareHeld(held, other))).toBe(
        Math.sign(compareStamps(entry.stamp, other)),
      );
      const asked = packer.recordOf(entry.key, entry);
      for (const each of ["etag", "contentType", "expiresAtMs", "stampMs", "bytes"] as const) {
        expect(record[each]).toBe(asked[each]);
      }
      const text = record.text ?? Buffer.from(entry.value).toString("latin1");
      expect(Uint8Array.from(Buffer.from(text, "latin1"))).toEqual(entry.value);
    }),
    { numRuns: 1_000 },
  );
});

const small: Entry = {
  key: "k",
  value: new TextEncoder().encode("v"),
  contentType: "text/plain",
  stamp: { time: 258_696_806_400_001, origin: 77 },
  expiresAtMs: 0,
  deleted: false,
};

it("small values are packed into one string of one-byte characters", () => {
  const held = new EntryPacker(VALUE_MAX).hold({ ...small, value: Uint8Array.of(0, 127, 255) });
  expect(held).toMatch(/^[\0-\xff]*$/);
  expect(held).toHaveLength(16 + "2jp7o76dc1-25".length + 3);
});

it.each([
  ["larger values", { value: new Uint8Array(VALUE_MAX + 1) }],
  ["attributes", { attributes: Uint8Array.of(1) }],
  ["an expiry beyond six bytes", { expiresAtMs: 2 ** 48 }],
])("entries with %s are held as they are", (_, odd) => {
  const entry = { ...small, ...odd };
  expect(new EntryPacker(VALUE_MAX).hold(entry)).toBe(entry);
});

it("entries of content types beyond the first thousand are held as they are", () => {
  const packer = new EntryPacker(VALUE_MAX);
  const kinds = Array.from({ length: 1_500 }, (_, index) =>
    packer.hold({ ...small, contentType: `text/${index}` }),
  );
  expect(kinds.filter((held) => typeof held === "string")).toHaveLength(1_024);
  expect(packer.recordOf("k", kinds[3] ?? small).contentType).toBe("text/3");
  expect(packer.recordOf("k", kinds[1_400] ?? small).contentType).toBe("text/1400");
});

it("a value that is not packed and shares its array with others is copied out of it", () => {
  const { buffer } = new Uint8Array(16_384).fill(7);
  const valueOf = (bytes: number): Uint8Array => {
    const packer = new EntryPacker(0);
    const held = packer.hold({ ...small, value: new Uint8Array(buffer, 100, bytes) });
    return packer.recordOf("k", held).entry().value;
  };
  expect(valueOf(9)).toEqual(new Uint8Array(9).fill(7));
  expect(valueOf(9).buffer.byteLength).toBe(9);
  expect(valueOf(9_000).buffer).toBe(buffer);
});
