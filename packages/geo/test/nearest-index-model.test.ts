import fc from "fast-check";
import { getDistance } from "geolib";
import { describe, expect, it } from "vitest";

import { NearestIndex, type Placed } from "@meridian/geo";
import { MeridianError, type Coordinates } from "@meridian/protocol";

const anywhere = fc.record({
  lat: fc.oneof(fc.constantFrom(-90, 90, 0, -0, 45), fc.double({ min: -90, max: 90, noNaN: true })),
  lon: fc.oneof(fc.constantFrom(-180, 180, 0, 90), fc.double({ min: -180, max: 180, noNaN: true })),
});
const id = fc.constantFrom("a", "b", "c", "d", "e", "f");

/** What the index must answer, by sorting everything. */
function model(places: ReadonlyMap<string, Coordinates>, from: Coordinates, limit: number) {
  const all = [...places].map(([name, place]) => ({ name, meters: getDistance(from, place) }));
  return all.sort((a, b) => a.meters - b.meters).slice(0, limit);
}

describe("NearestIndex", () => {
  it("answers like a sorted list after any sets, moves and deletes", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("set" as const), id, place: anywhere }),
      fc.record({ kind: fc.constant("delete" as const), id, place: anywhere }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), anywhere, fc.nat(8), (steps, from, limit) => {
        const index = new NearestIndex<Placed>();
        const places = new Map<string, Coordinates>();
        for (const { kind, id: name, place } of steps) {
          const deleted = index.delete(name);
          expect(deleted).toBe(places.delete(name));
          if (kind === "set") {
            index.set({ id: name }, { lat: 0, lon: 0 });
            index.set({ id: name }, place);
            places.set(name, place);
          }
        }
        const found = index.nearest(from, limit);
        const expected = model(places, from, limit);
        expect(index.size).toBe(places.size);
        expect(found).toHaveLength(expected.length);
        found.forEach(({ distanceMeters }, at) => {
          // Whole metres: places on either side of a half may come rounded apart.
          expect(Math.abs(distanceMeters - (expected[at]?.meters ?? NaN))).toBeLessThanOrEqual(1);
        });
      }),
    );
  });

  it("reports exactly the metres of geolib", () => {
    fc.assert(
      fc.property(anywhere, anywhere, (place, from) => {
        const index = new NearestIndex<Placed>();
        index.set({ id: "only" }, place);
        const [found] = index.nearest(from, 1);
        expect(found?.distanceMeters).toBe(getDistance(from, place));
      }),
    );
  });

  it("orders nodes at one place by id, however they came", () => {
    const ids = ["d", "a", "c", "b", "aa"];
    fc.assert(
      fc.property(
        fc.shuffledSubarray(ids, { minLength: 5 }),
        anywhere,
        anywhere,
        fc.integer({ min: 1, max: 5 }),
        (order, place, from, limit) => {
          const index = new NearestIndex<Placed>();
          for (const name of order) index.set({ id: name }, place);
          const found = index.nearest(from, limit).map(({ node }) => node.id);
          expect(found).toEqual(["a", "aa", "b", "c", "d"].slice(0, limit));
        },
      ),
    );
  });
});

describe("a search", () => {
  it("leaves out what is not accepted and fills up from further away", () => {
    const index = new NearestIndex<Placed>();
    for (let lon = 0; lon < 10; lon += 1) index.set({ id: `n-${lon}` }, { lat: 0, lon });
    const isOdd = ({ id: name }: Placed): boolean => Number(name.slice(2)) % 2 === 1;
    const found = index.nearest({ lat: 0, lon: 0 }, 3, isOdd);
    expect(found.map(({ node }) => node.id)).toEqual(["n-1", "n-3", "n-5"]);
    expect(index.nearest({ lat: 0, lon: 0 }, 3, () => false)).toEqual([]);
  });

  it("stays right while thousands of nodes come, move and go", () => {
    const index = new NearestIndex<Placed>();
    const ring = (number: number): Coordinates => ({ lat: 0, lon: (number * 360) / 9_000 - 180 });
    for (let number = 0; number < 9_000; number += 1)
      index.set({ id: `n-${number}` }, ring(number));
    expect(index.nearest(ring(4_500), 1)[0]?.node.id).toBe("n-4500");
    for (let number = 0; number < 9_000; number += 1) {
      if (number % 9 !== 0) index.delete(`n-${number}`);
    }
    expect(index.size).toBe(1_000);
    expect(index.nearest(ring(4_501), 2).map(({ node }) => node.id)).toEqual(["n-4500", "n-4509"]);
    index.set({ id: "n-4500" }, { lat: 80, lon: 0 });
    expect(index.nearest(ring(4_501), 1)[0]?.node.id).toBe("n-4509");
  });

  it("asks about the nodes it gives only, of any number, if all of them are accepted", () => {
    const index = new NearestIndex<Placed>();
    for (let number = 0; number < 5_000; number += 1) {
      index.set({ id: `n-${number}` }, { lat: (number * 7) % 90, lon: (number * 13) % 180 });
    }
    const asked: string[] = [];
    const isAccepted = ({ id: name }: Placed): boolean => asked.push(name) > 0;
    const found = index.nearest({ lat: 10.2, lon: 20.7 }, 3, isAccepted);
    expect(asked).toEqual(found.map(({ node }) => node.id));
  });

  it("answers nothing for a limit below 1, and everything for one above the count", () => {
    const index = new NearestIndex<Placed>();
    index.set({ id: "a" }, { lat: 1, lon: 1 });
    index.set({ id: "b" }, { lat: 2, lon: 2 });
    const from = { lat: 0, lon: 0 };
    expect([0, -1, NaN].map((limit) => index.nearest(from, limit))).toEqual([[], [], []]);
    expect(index.nearest(from, Infinity).map(({ node }) => node.id)).toEqual(["a", "b"]);
  });

  it.each([
    { lat: 91, lon: 0 },
    { lat: 0, lon: -180.1 },
    { lat: NaN, lon: 0 },
  ])("refuses $lat, $lon, and keeps what it has", (nowhere) => {
    const index = new NearestIndex<Placed>();
    index.set({ id: "a" }, { lat: 1, lon: 1 });
    expect(() => index.set({ id: "a" }, nowhere)).toThrow(MeridianError);
    expect(() => index.nearest(nowhere, 1)).toThrow(MeridianError);
    expect(index.nearest({ lat: 1, lon: 1 }, 1)).toEqual([
      { node: { id: "a" }, distanceMeters: 0 },
    ]);
  });
});
