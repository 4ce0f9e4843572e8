import { geoEqualEarth } from "d3-geo";
import { describe, expect, it } from "vitest";

import { bordersOf } from "../page/pages/map/areas.ts";
import { distanceText, metersBetween, placeText } from "../page/pages/map/distance.ts";
import { wayBetween } from "../page/pages/map/great-circle.ts";
import { labelPlaces } from "../page/pages/map/labels.ts";
import { mapProjection, pixelOf, placeAt } from "../page/pages/map/projection.ts";
import { sparkPath } from "../page/pages/map/spark-path.ts";
import { ARROWS, markBeside, markTowards } from "../page/pages/map/steer.ts";

const PLACES = [
  { id: "montreal", lat: 45.5, lon: -73.57 },
  { id: "frankfurt", lat: 50.11, lon: 8.68 },
  { id: "singapore", lat: 1.35, lon: 103.82 },
  { id: "sao-paulo", lat: -23.55, lon: -46.63 },
  { id: "sydney", lat: -33.87, lon: 151.21 },
];
const CORNERS = [-90, -89.99, 0, 89.99, 90].flatMap((lat) =>
  [-180, -179.99, -169, 0, 11, 179.99, 180].map((lon) => ({ lat, lon })),
);

describe("the map", () => {
  it.each([280, 360, 853, 1920])("of %i pixels has the whole world inside", (width) => {
    const map = mapProjection(width);
    for (const place of [...PLACES, ...CORNERS]) {
      const [x, y] = pixelOf(map, place);
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x).toBeLessThanOrEqual(width);
      expect(y).toBeGreaterThanOrEqual(0);
      expect(y).toBeLessThanOrEqual(map.height);
    }
  });

  it("has places where the Equal Earth projection has them", () => {
    const map = mapProjection(900);
    const plain = geoEqualEarth().rotate([-11, 0]).scale(map.project.scale()).translate([0, 0]);
    const [left, top] = map.project.translate();
    for (const { lat, lon } of PLACES) {
      const [x = 0, y = 0] = plain([lon, lat]) ?? [];
      const [shownX, shownY] = pixelOf(map, { lat, lon });
      expect([shownX - left, shownY - top]).toEqual([
        expect.closeTo(x, 6) as number,
        expect.closeTo(y, 6) as number,
      ]);
    }
  });

  it("tells the place at a pixel, and that there is none outside the globe", () => {
    const map = mapProjection(900);
    for (const place of PLACES) {
      const found = placeAt(map, pixelOf(map, place));
      expect(found?.lat).toBeCloseTo(place.lat, 6);
      expect(found?.lon).toBeCloseTo(place.lon, 6);
    }
    for (const pixel of [
      [0, 0],
      [899, 0],
      [0, map.height],
      [450, -1],
      [2000, 200],
    ] as const) {
      expect(placeAt(map, pixel)).toBeUndefined();
    }
  });
});

describe("the borders of areas", () => {
  it.each([
    ["no place", []],
    ["one place", PLACES.slice(0, 1)],
    ["two at one place", [PLACES[0], { ...PLACES[0] }]],
    [
      "both ends of the antimeridian",
      [
        { lat: 5, lon: 180 },
        { lat: 5, lon: -180 },
      ],
    ],
    [
      "the north pole under two names",
      [
        { lat: 90, lon: 3 },
        { lat: 90, lon: 99 },
      ],
    ],
  ])("are none for %s", (_, places) => {
    expect(bordersOf(places as typeof PLACES)).toBeUndefined();
  });

  it.each([
    ["two places", PLACES.slice(0, 2)],
    ["five places", PLACES],
    [
      "opposite places",
      [
        { lat: 0, lon: 0 },
        { lat: 0, lon: 180 },
      ],
    ],
    [
      "poles",
      [
        { lat: 90, lon: 0 },
        { lat: -90, lon: 0 },
        { lat: 0, lon: 180 },
      ],
    ],
  ])("are there for %s", (_, places) => {
    expect(bordersOf(places)).toMatchObject({ type: "MultiLineString" });
  });
});

describe("distances", () => {
  it("are those of great circles", () => {
    const [, frankfurt, singapore] = PLACES;
    if (frankfurt === undefined || singapore === undefined) throw new Error("no places");
    expect(metersBetween(frankfurt, singapore) / 1000).toBeCloseTo(10_271, -2);
    expect(metersBetween({ lat: 0, lon: 179.5 }, { lat: 0, lon: -179.5 })).toBeCloseTo(111_195, -2);
    expect(metersBetween({ lat: 90, lon: 0 }, { lat: 90, lon: 123 })).toBeCloseTo(0, 3);
    expect(metersBetween({ lat: 0, lon: 0 }, { lat: 0, lon: 180 })).toBeCloseTo(20_015_115, -1);
  });

  it("are written for people", () => {
    expect([0, 900.4, 1_499, 10_271_000].map(distanceText)).toEqual([
      "0 m",
      "900 m",
      "1 km",
      "10,271 km",
    ]);
    expect(placeText({ lat: -33.868, lon: 151.209 })).toBe("33.87° S, 151.21° E");
    expect(placeText({ lat: 90, lon: -180 })).toBe("90.00° N, 180.00° W");
  });
});

it("a way across the edge of the map is cut there, and nowhere else", () => {
  const map = mapProjection(900);
  const cutsOf = (from: number, to: number): number => {
    const way = wayBetween(map, { lat: 10, lon: from }, { lat: 20, lon: to });
    return way.points.filter((_, index) => way.isCut(index)).length;
  };
  expect(cutsOf(-74, 9)).toBe(0);
  expect(cutsOf(140, -120)).toBe(1);
  expect(cutsOf(-120, 140)).toBe(1);
});

describe("the keys", () => {
  const map = mapProjection(900);
  const marks = PLACES.map((place) => ({ id: place.id, pixel: pixelOf(map, place) }));
  const from = (id: string, key: string): string | undefined => {
    const mark = marks.find((each) => each.id === id);
    const arrow = ARROWS[key];
    return mark && arrow && markTowards(marks, mark, arrow);
  };

  it("go to what lies there, and round the world", () => {
    expect(from("montreal", "ArrowRight")).toBe("frankfurt");
    expect(from("montreal", "ArrowDown")).toBe("sao-paulo");
    expect(from("sydney", "ArrowUp")).toBe("singapore");
    expect(from("sydney", "ArrowRight")).toBe("montreal");
  });

  it("reach every node one behind the other, however many are at one place", () => {
    const crowd = [...marks, { id: "twin", pixel: marks[0]?.pixel ?? ([0, 0] as const) }];
    for (const step of [1, -1] as const) {
      const reached = new Set<string>();
      for (let at = crowd[0]; at !== undefined && !reached.has(at.id);) {
        reached.add(at.id);
        const next = markBeside(crowd, at, step);
        at = crowd.find(({ id }) => id === next);
      }
      expect([...reached].toSorted()).toEqual(crowd.map(({ id }) => id).toSorted());
    }
    const [only] = marks;
    expect(only && markTowards([only], only, [1, 0])).toBeUndefined();
  });
});

it("names cover neither each other nor other marks, and stay on the map", () => {
  const sides = labelPlaces(
    [
      { id: "a", pixel: [100, 100] },
      { id: "b", pixel: [150, 100] },
      { id: "c", pixel: [125, 104] },
      { id: "edge", pixel: [890, 50] },
    ],
    900,
  );
  expect(sides.get("a")).toBe(-1);
  expect(sides.get("b")).toBe(1);
  expect(sides.has("c")).toBe(false);
  expect(sides.get("edge")).toBe(-1);
});

it("a line of values ends at the right, and shows a small lag as small", () => {
  expect(sparkPath([], 72, 20)).toBe("");
  expect(sparkPath([5], 72, 20)).toBe("M1.0 10.0h70");
  expect(sparkPath([0, 1, 100], 72, 20)).toBe("M1.0 18.0L36.0 17.8L71.0 2.0");
});
