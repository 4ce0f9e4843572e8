import type { Entry } from "@meridian/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";

import { WrittenEntries } from "../src/node/written-entries.ts";

const KEYS = ["a", "b", "c"] as const;

function entry(key: string, time: number): Entry {
  const value = new Uint8Array(0);
  return {
    key,
    value,
    contentType: "",
    stamp: { time, origin: 1 },
    expiresAtMs: 0,
    deleted: false,
  };
}

it("has the last entry of each key, as a map would, however many there are", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...KEYS)), fc.nat({ max: 3 }), (keys, given) => {
      const entries = keys.map((key, index) => entry(key, index + 1));
      const written = new WrittenEntries(entries.slice(0, given));
      const model = new Map(entries.slice(0, given).map((each) => [each.key, each]));
      for (const each of entries.slice(given)) {
        written.add(each);
        model.set(each.key, each);
        for (const key of KEYS) {
          expect(written.get(key)).toBe(model.get(key));
          expect(written.has(key)).toBe(model.has(key));
        }
      }
    }),
  );
});
