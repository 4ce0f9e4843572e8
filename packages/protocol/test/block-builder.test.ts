import { BlockBuilder, encodeBlock, type Entry } from "@meridian/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

function entry(key: string, valueBytes: number): Entry {
  const value = new Uint8Array(valueBytes).fill(key.charCodeAt(0));
  const stamp = { time: 5, origin: 7 };
  return { key, value, contentType: "text/plain", stamp, expiresAtMs: 0, deleted: false };
}

describe("a block builder", () => {
  it("makes the block of all entries, however they come, and keeps none of it", () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.array(
            fc.array(fc.oneof(fc.nat(300), fc.integer({ min: 20_000, max: 90_000 })), {
              maxLength: 3,
            }),
            {
              maxLength: 6,
            },
          ),
          { maxLength: 4 },
        ),
        (blocks) => {
          const builder = new BlockBuilder();
          const made = blocks.map((adds) => {
            const all = adds.map((sizes) => sizes.map((bytes, at) => entry(`k${at}`, bytes)));
            for (const entries of all)
              expect(builder.add(entries)).toBe(encodeBlock(entries).byteLength);
            return { entries: all.flat(), block: builder.take() };
          });
          for (const { entries, block } of made) {
            expect(Buffer.compare(block, encodeBlock(entries))).toBe(0);
            expect(block.buffer.byteLength).toBe(block.byteLength);
          }
        },
      ),
      { numRuns: 50 },
    ));

  it("has nothing of entries that it refuses", () => {
    const builder = new BlockBuilder();
    const refused = { ...entry("b", 10), contentType: "x".repeat(300) };
    const [first, last] = [entry("a", 10), entry("c", 10)];
    builder.add([first]);
    expect(() => builder.add([entry("before", 1), refused])).toThrow("content type");
    builder.add([last]);
    expect(() => builder.add([{ ...refused, value: new Uint8Array(80_000) }])).toThrow(
      "content type",
    );
    expect(builder.take()).toEqual(encodeBlock([first, last]));
    expect(builder.take().byteLength).toBe(0);
  });
});
