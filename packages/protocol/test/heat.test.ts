import {
  decodeDirectoryMessage,
  decodeNodeMessage,
  encodeMessage,
  HEAT_BYTES_MAX,
  HEAT_READS_MAX,
  hottest,
  type KeyHeat,
} from "@meridian/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";

import { refusal } from "./refusal.ts";

const nowMs = -8.64e15;

const key = fc.oneof(
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }),
  fc.nat(1_023).map((more) => "k".repeat(more + 1)),
  fc.nat(1_023).map((more) => "\u0001".repeat(more + 1)),
);
const heat = fc
  .tuple(key, fc.integer({ min: 1, max: HEAT_READS_MAX }))
  .filter(([name]) => !name.startsWith("\0"));

it("the hottest keys fit into one message of each side, and at least one does", () => {
  fc.assert(
    fc.property(fc.array(heat, { minLength: 1, maxLength: 500 }), (all) => {
      const keys = hottest(all);
      expect(keys.length).toBeGreaterThan(0);
      const texts = [
        encodeMessage({ type: "heat", nowMs, keys }),
        encodeMessage({ type: "heat-elsewhere", nowMs, keys }),
      ] as const;
      for (const text of texts) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(HEAT_BYTES_MAX);
      expect(refusal(() => decodeNodeMessage(texts[0]))).toBe("accepted");
      expect(refusal(() => decodeDirectoryMessage(texts[1]))).toBe("accepted");
    }),
    { numRuns: 100 },
  );
});

it("no key is left out that is twice as hot as one that is chosen", () => {
  const all = Array.from({ length: 5_000 }, (_, n): KeyHeat => [
    `key:${n}`,
    (n * 7_919) % 5_000 || 1,
  ]);
  const chosen = new Set(hottest(all));
  expect(chosen.size).toBeGreaterThan(100);
  const coldest = Math.min(...[...chosen].map(([, reads]) => reads));
  const left = all.filter((each) => !chosen.has(each)).map(([, reads]) => reads);
  expect(Math.max(...left)).toBeLessThan(2 * coldest);
});

it("nothing is chosen of nothing", () => {
  expect(hottest([])).toEqual([]);
});

it.each(["heat", "heat-elsewhere"] as const)("a `%s` that is too large is refused", (type) => {
  const decode = type === "heat" ? decodeNodeMessage : decodeDirectoryMessage;
  const said = (message: object): string =>
    refusal(() => decode(JSON.stringify({ type, nowMs: 0, ...message })));
  const keysOf = (letter: string, count: number): KeyHeat[] =>
    Array.from({ length: count }, () => [letter.repeat(300), 1]);
  expect(said({ keys: keysOf("k", 20) })).toBe("accepted");
  expect(said({ keys: keysOf("k", 28) })).toBe("MALFORMED_MESSAGE");
  expect(said({ keys: keysOf("\u20ac", 20) })).toBe("MALFORMED_MESSAGE");
  const more = "x".repeat(HEAT_BYTES_MAX);
  expect(said({ keys: keysOf("k", 1), more })).toBe("MALFORMED_MESSAGE");
});
