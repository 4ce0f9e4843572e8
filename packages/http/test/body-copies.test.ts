import { PlainCarrier, type PlainWrite } from "@meridian/http";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { BodyCopies } from "../src/body-copies.ts";

describe("copies of bodies", () => {
  it("stay as they are, and share arrays where they are small", () =>
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 1_100, size: "max" }), { maxLength: 60 }),
        (bodies) => {
          const copies = new BodyCopies();
          const made = bodies.map((body) => {
            const read = Uint8Array.from(body);
            const copy = copies.of(read);
            read.fill(0);
            return copy;
          });
          expect(made).toEqual(bodies);
          const small = made.filter(({ byteLength }) => byteLength <= 1_024);
          const bytes = small.reduce((sum, { byteLength }) => sum + byteLength, 0);
          // No array but the last one has room for another.
          const most = Math.ceil(bytes / (15 * 1024)) + 1;
          expect(new Set(small.map(({ buffer }) => buffer)).size).toBeLessThanOrEqual(most);
          for (const { buffer, byteLength } of made)
            expect(buffer.byteLength).toBe(byteLength > 1_024 ? byteLength : 16 * 1024);
        },
      ),
      { examples: [[[new Uint8Array(0)]]] },
    ));

  it("are copied once more for a request that may wait for long", () => {
    const body = new BodyCopies().of(new Uint8Array([1, 2, 3]));
    const head = { host: "localhost", headers: new Map([["content-length", "3"]]) };
    const write = { path: "/cache/a?ack=all", body, head } as unknown as PlainWrite;
    const kept = new PlainCarrier(write).body(10);
    expect([...kept]).toEqual([1, 2, 3]);
    expect(kept.buffer.byteLength).toBe(3);
  });
});
