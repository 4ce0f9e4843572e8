import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  burial,
  BURIAL_ORIGIN,
  formatStamp,
  isLive,
  isPurgeable,
  NO_BYTES,
  replaces,
  tombstone,
  type Entry,
} from "@meridian/protocol";

/** Entries that meet often: few keys, few stamps. One stamp is one write, so its entry follows from it. */
const meeting: fc.Arbitrary<Entry> = fc
  .record({
    key: fc.constantFrom("a", "b", "\u{1f600}"),
    time: fc.nat(6),
    origin: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ key, time, origin }) => {
    const stamp = { time, origin };
    if ((time + origin) % 3 === 0) return tombstone(key, stamp);
    const value = new Uint8Array([time, origin]);
    return { key, value, contentType: "text/plain", stamp, expiresAtMs: time, deleted: false };
  });

type Held = Map<string, Entry>;

function merge(held: Held, entries: readonly Entry[]): Held {
  const merged = new Map(held);
  for (const entry of entries) {
    if (replaces(entry, merged.get(entry.key))) merged.set(entry.key, entry);
  }
  return merged;
}

const show = (held: Held): string[] =>
  [...held.values()]
    .map(({ key, stamp, deleted }) => `${key} ${formatStamp(stamp)} ${deleted}`)
    .toSorted();

/** The oracle: of all that is known of a key, the greatest stamp, found by looking at all of it. */
function newest(entries: readonly Entry[]): string[] {
  const held: Held = new Map();
  for (const { key } of entries) {
    const rivals = entries.filter((entry) => entry.key === key);
    const best = rivals.find((one) =>
      rivals.every(
        ({ stamp }) =>
          stamp.time < one.stamp.time ||
          (stamp.time === one.stamp.time && stamp.origin <= one.stamp.origin),
      ),
    );
    if (best !== undefined) held.set(key, best);
  }
  return show(held);
}

const many = fc.array(meeting, { maxLength: 30 });

describe("merging", () => {
  it("ends with the newest entry of each key, in any order and with any repetition", () => {
    const delivered = many.chain((entries) =>
      fc.tuple(
        fc.constant(entries),
        fc.shuffledSubarray([...entries, ...entries, ...entries], { minLength: 0 }),
        fc.shuffledSubarray(entries, { minLength: entries.length, maxLength: entries.length }),
      ),
    );
    fc.assert(
      fc.property(delivered, ([entries, some, all]) => {
        expect(show(merge(new Map(), [...some, ...all]))).toEqual(newest(entries));
      }),
    );
  });

  it("is commutative", () => {
    fc.assert(
      fc.property(many, many, (a, b) => {
        const [left, right] = [merge(new Map(), a), merge(new Map(), b)];
        expect(show(merge(left, [...right.values()]))).toEqual(
          show(merge(right, [...left.values()])),
        );
      }),
    );
  });

  it("is associative", () => {
    fc.assert(
      fc.property(many, many, many, (a, b, c) => {
        const [one, two, three] = [a, b, c].map((entries) => merge(new Map(), entries)) as [
          Held,
          Held,
          Held,
        ];
        const join = (left: Held, right: Held): Held => merge(left, [...right.values()]);
        expect(show(join(join(one, two), three))).toEqual(show(join(one, join(two, three))));
      }),
    );
  });

  it("is idempotent: an entry never replaces itself", () => {
    fc.assert(
      fc.property(many, (entries) => {
        const held = merge(new Map(), entries);
        for (const entry of held.values()) expect(replaces(entry, entry)).toBe(false);
        expect(merge(held, entries)).toEqual(held);
      }),
    );
  });
});

describe("an entry", () => {
  it("is live until the instant it expires, and gone at it", () => {
    const entry = { deleted: false, expiresAtMs: 1_000 };
    expect([999, 999.9, 1_000, 1_001].map((nowMs) => isLive(entry, nowMs))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it("without an expiry is live at any time", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (nowMs) => {
        expect(isLive({ deleted: false, expiresAtMs: 0 }, nowMs)).toBe(true);
      }),
    );
  });

  it("that is a tombstone is never live, and has neither value nor type nor expiry", () => {
    const entry = tombstone("k", { time: 5, origin: 1 });
    expect(entry).toEqual({
      key: "k",
      value: NO_BYTES,
      contentType: "",
      stamp: { time: 5, origin: 1 },
      expiresAtMs: 0,
      deleted: true,
    });
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.nat(), (nowMs, expiresAtMs) => {
        expect(isLive({ ...entry, expiresAtMs }, nowMs)).toBe(false);
      }),
    );
  });
});

describe("a burial", () => {
  it("replaces every entry of its time and before, and no later one", () => {
    const times = fc.integer({ min: 0, max: 9 });
    const origins = fc.integer({ min: 1, max: BURIAL_ORIGIN - 1 });
    fc.assert(
      fc.property(times, times, origins, (at, time, origin) => {
        const grave = burial("k", at);
        expect(grave.deleted).toBe(true);
        expect(replaces(grave, { key: "k", stamp: { time, origin } })).toBe(time <= at);
      }),
    );
  });
});

describe("an entry is purgeable", () => {
  const at = { time: 4096 * 1_000, origin: 1 };

  it("under no horizon while none has been set", () => {
    expect(isPurgeable(tombstone("k", { time: 0, origin: 1 }), 0)).toBe(false);
  });

  it("if it is a tombstone as old as the horizon", () => {
    expect(isPurgeable(tombstone("k", at), at.time)).toBe(true);
    expect(isPurgeable(tombstone("k", at), at.time - 1)).toBe(false);
    expect(isPurgeable({ ...tombstone("k", at), deleted: false }, at.time)).toBe(false);
  });

  it("if it is as old as the horizon and has expired by then, whatever has become of its value", () => {
    const endsAtMs = 1_704_067_202_000;
    for (const deleted of [false, true]) {
      const expiring = { stamp: at, deleted, expiresAtMs: endsAtMs };
      expect(isPurgeable(expiring, 4096 * 2_000 - 1)).toBe(false);
      expect(isPurgeable(expiring, 4096 * 2_000)).toBe(true);
      expect(isPurgeable({ ...expiring, expiresAtMs: 1 }, at.time - 1)).toBe(false);
    }
  });
});
