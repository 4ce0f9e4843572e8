import { readFileSync } from "node:fs";

import type { SummaryPage } from "@meridian/ports";
import type { Summary } from "@meridian/protocol";
import { digestAll, digestOf } from "@meridian/replication";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const DOCUMENT = readFileSync(new URL("../../protocol/PROTOCOL.md", import.meta.url), "utf8");

interface Vector {
  readonly entries: readonly (readonly [
    key: string,
    time: number,
    origin: number,
    attributes?: string,
  ])[];
  readonly count: number;
  readonly fingerprint: string;
}

function readVectors(): Vector[] {
  const [, text = "[]"] = /```json digest-vectors\n(.*?)```/s.exec(DOCUMENT) ?? [];
  return JSON.parse(text) as Vector[];
}

function summariesOf({ entries }: Vector): Summary[] {
  return entries.map(([key, time, origin, hex]) => ({
    key,
    stamp: { time, origin },
    ...(hex !== undefined && { attributes: Buffer.from(hex, "hex") }),
  }));
}

const key = fc.string({ unit: "binary", minLength: 1, maxLength: 24 });
const time = fc.oneof(fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER), fc.nat(), fc.maxSafeNat());
const origin = fc.oneof(fc.constantFrom(1, 2 ** 48 - 1), fc.integer({ min: 1, max: 2 ** 48 - 1 }));
const summary: fc.Arbitrary<Summary> = fc.record({
  key,
  stamp: fc.record({ time, origin }),
});
const attributes = fc.uint8Array({ minLength: 1, maxLength: 12 });
const summaries = fc.uniqueArray(summary, { maxLength: 30, selector: (each) => each.key });

describe("the digest of a list of entries", () => {
  const vectors = readVectors();

  it("is the one that the protocol document gives", () => {
    expect(vectors.length).toBeGreaterThan(3);
    for (const vector of vectors) {
      const { count, fingerprint } = vector;
      expect(digestOf(summariesOf(vector))).toEqual({ count, fingerprint });
    }
  });

  it("counts them and has 16 hexadecimal digits", () => {
    fc.assert(
      fc.property(summaries, (list) => {
        const { count, fingerprint } = digestOf(list);
        expect(count).toBe(list.length);
        expect(fingerprint).toMatch(/^[0-9a-f]{16}$/);
      }),
    );
  });

  it("does not depend on the order of the entries", () => {
    const shuffled = summaries.chain((list) =>
      fc.tuple(
        fc.constant(list),
        fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([list, other]) => {
        expect(digestOf(other)).toEqual(digestOf(list));
      }),
    );
  });
});

describe("the digest of a list that is not the same", () => {
  it("is another when any one key or stamp is another", () => {
    fc.assert(
      fc.property(
        summaries.filter((list) => list.length > 0),
        fc.nat(),
        summary,
        fc.constantFrom("key", "time", "origin"),
        (list, at, other, part) => {
          const index = at % list.length;
          const changed = list.map((each, place) =>
            place === index ? withPart(each, other, part) : each,
          );
          fc.pre(JSON.stringify(changed) !== JSON.stringify(list));
          expect(digestOf(changed).fingerprint).not.toBe(digestOf(list).fingerprint);
        },
      ),
    );
  });

  it("is another when a time or an origin differs by one, at every power of two", () => {
    for (let power = 0; power <= 47; power += 1) {
      const base = 2 ** power;
      const prints = [
        { time: base, origin: 7 },
        { time: base + 1, origin: 7 },
        { time: 7, origin: base },
        { time: 7, origin: Math.min(base + 1, 2 ** 48 - 1) },
      ].map((stamp) => digestOf([{ key: "k", stamp }]).fingerprint);
      expect(new Set(prints).size, `2^${power}`).toBe(4);
    }
  });

  it("is another when an entry has attributes, or others", () => {
    fc.assert(
      fc.property(summary, attributes, attributes, (bare, one, other) => {
        const prints = [bare, { ...bare, attributes: one }, { ...bare, attributes: other }].map(
          (each) => digestOf([each]).fingerprint,
        );
        const isSame = Buffer.from(one).equals(Buffer.from(other));
        expect(new Set(prints).size).toBe(isSame ? 2 : 3);
      }),
    );
  });

  it("is another when one entry is missing", () => {
    fc.assert(
      fc.property(
        summaries.filter((list) => list.length > 0),
        fc.nat(),
        (list, at) => {
          const index = at % list.length;
          const rest = list.filter((_, place) => place !== index);
          expect(digestOf(rest).fingerprint).not.toBe(digestOf(list).fingerprint);
        },
      ),
    );
  });
});

it("the digest of a source is that of all its entries, however many pages they fill", async () => {
  const keys = Array.from({ length: 4_500 }, (_, index) => `k${String(index).padStart(5, "0")}`);
  const list = keys.map((each, index) => ({ key: each, stamp: { time: index, origin: 1 } }));
  const source = {
    summaryPage: (after: string | null, limit: number): SummaryPage => {
      const summaries = list.filter((each) => after === null || each.key > after).slice(0, limit);
      return { summaries, next: summaries.length < limit ? null : (summaries.at(-1)?.key ?? null) };
    },
  };
  expect(await digestAll(source, setImmediate)).toEqual(digestOf(list));
});

function withPart(entry: Summary, other: Summary, part: "key" | "time" | "origin"): Summary {
  if (part === "key") return { ...entry, key: other.key };
  return { ...entry, stamp: { ...entry.stamp, [part]: other.stamp[part] } };
}
