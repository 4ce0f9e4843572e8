import { describe, expect, it } from "vitest";

import { NearestIndex, type Neighbour, type Placed } from "@meridian/geo";
import type { Coordinates } from "@meridian/protocol";

import { seeded } from "./seeded.ts";

const RADIUS_METERS = 6_378_137;

/** The oracle: the haversine formula, which shares nothing with the index. */
function haversineMeters(a: Coordinates, b: Coordinates): number {
  const radians = Math.PI / 180;
  const lat = Math.sin(((b.lat - a.lat) * radians) / 2);
  const lon = Math.sin(((b.lon - a.lon) * radians) / 2);
  const h = lat * lat + Math.cos(a.lat * radians) * Math.cos(b.lat * radians) * lon * lon;
  return 2 * RADIUS_METERS * Math.asin(Math.min(1, Math.sqrt(h)));
}

type Places = ReadonlyMap<string, Coordinates>;

function indexOf(places: Places): NearestIndex<Placed> {
  const index = new NearestIndex<Placed>();
  for (const [id, coordinates] of places) index.set({ id: id }, coordinates);
  return index;
}

/**
 * What is wrong with an answer, judged by the oracle alone; empty if nothing. Places that the formula itself
 * cannot tell apart (0.2 m, which it loses at the antipodes) may come in either order.
 */
function faultsOf(
  found: readonly Neighbour<Placed>[],
  from: Coordinates,
  limit: number,
  places: Places,
) {
  const faults: string[] = [];
  const all = [...places].map(([id, place]) => ({ id, meters: haversineMeters(from, place) }));
  all.sort((a, b) => a.meters - b.meters);
  if (found.length !== Math.min(limit, all.length)) faults.push(`${found.length} were found`);
  if (new Set(found.map(({ node }) => node.id)).size !== found.length)
    faults.push("one came twice");
  found.forEach(({ node: { id }, distanceMeters }, place) => {
    const meters = haversineMeters(from, places.get(id) ?? { lat: NaN, lon: NaN });
    const expected = all[place]?.meters ?? NaN;
    if (!(Math.abs(meters - expected) <= 0.2)) faults.push(`${id}: ${meters}, not ${expected}`);
    if (!(Math.abs(distanceMeters - meters) <= 0.7)) faults.push(`${id} said ${distanceMeters}`);
  });
  return faults;
}

const random = seeded(20);

/** Evenly over the sphere, with poles, antimeridian and exact repetitions now and then. */
function randomPlace(): Coordinates {
  const lat = (Math.asin(2 * random() - 1) * 180) / Math.PI;
  const lon = random() * 360 - 180;
  const kind = random();
  if (kind < 0.02) return { lat: kind < 0.01 ? 90 : -90, lon };
  if (kind < 0.05) return { lat, lon: kind < 0.035 ? 180 : -180 };
  if (kind < 0.08) return { lat, lon: (kind < 0.065 ? 180 : -180) - 1e-7 * (random() - 0.5) };
  return { lat, lon: Math.max(-180, Math.min(180, lon)) };
}

function clamped({ lat, lon }: Coordinates): Coordinates {
  return { lat, lon: Math.max(-180, Math.min(180, lon)) };
}

function randomPlaces(count: number): Map<string, Coordinates> {
  const places = new Map<string, Coordinates>();
  for (let number = 0; number < count; number += 1) {
    places.set(`n-${number}`, clamped(randomPlace()));
  }
  return places;
}

describe("the nearest nodes agree with haversine", () => {
  // 32 is where the index is divided first: both sides of it, and the edge.
  it.each([
    [1, 400],
    [3, 400],
    [30, 2_500],
    [500, 1_500],
    [32, 1_000],
    [33, 1_000],
    [4_000, 300],
    [20_000, 60],
  ])("%i nodes, %i places", (nodes, queries) => {
    const places = randomPlaces(nodes);
    const index = indexOf(places);
    for (let query = 0; query < queries; query += 1) {
      const from = clamped(randomPlace());
      const limit = 1 + Math.floor(random() * 8);
      expect(faultsOf(index.nearest(from, limit), from, limit, places)).toEqual([]);
    }
  });

  it("where all nodes crowd one spot on the other side of the Earth", () => {
    const places = new Map<string, Coordinates>();
    for (let number = 0; number < 5_000; number += 1) {
      places.set(`n-${number}`, { lat: 50 + random(), lon: 7 + random() });
    }
    const index = indexOf(places);
    for (const from of [
      { lat: -50.5, lon: -172.5 },
      { lat: 50.5, lon: 7.5 },
      { lat: 90, lon: 0 },
      { lat: 0, lon: 97 },
    ]) {
      expect(faultsOf(index.nearest(from, 20), from, 20, places)).toEqual([]);
    }
  });
});

it("agrees with haversine while nodes come, move and go, many of them at one place", () => {
  const places = new Map<string, Coordinates>();
  const index = new NearestIndex<Placed>();
  const crowded = { lat: 50.1, lon: 8.7 };
  for (let step = 0; step < 4_000; step += 1) {
    // At first more come than go, and later more go than come.
    const id = `n-${Math.floor(random() * 600)}`;
    const isGoing = random() < step / 4_000;
    const place = random() < 0.3 ? crowded : clamped(randomPlace());
    for (const each of [index, places]) each.delete(id);
    if (!isGoing) {
      index.set({ id }, place);
      places.set(id, place);
    }
    expect(index.size).toBe(places.size);
    if (step % 40 !== 0) continue;
    const from = random() < 0.3 ? crowded : clamped(randomPlace());
    expect(faultsOf(index.nearest(from, 20), from, 20, places)).toEqual([]);
  }
});

describe("the poles and the antimeridian", () => {
  it("a pole is one place, whatever its longitude", () => {
    const index = new NearestIndex<Placed>();
    index.set({ id: "north" }, { lat: 90, lon: 123 });
    index.set({ id: "north-too" }, { lat: 90, lon: -57 });
    expect(index.nearest({ lat: 90, lon: 0 }, 2)).toEqual([
      { node: { id: "north" }, distanceMeters: 0 },
      { node: { id: "north-too" }, distanceMeters: 0 },
    ]);
  });

  it("the shorter way crosses the antimeridian", () => {
    const index = new NearestIndex<Placed>();
    index.set({ id: "fiji" }, { lat: -18, lon: 178 });
    index.set({ id: "samoa" }, { lat: -13.8, lon: -172 });
    index.set({ id: "sydney" }, { lat: -33.9, lon: 151.2 });
    expect(index.nearest({ lat: -17, lon: -179 }, 3).map(({ node }) => node.id)).toEqual([
      "fiji",
      "samoa",
      "sydney",
    ]);
  });

  it("the shorter way crosses the pole", () => {
    const index = new NearestIndex<Placed>();
    index.set({ id: "over-the-pole" }, { lat: 85, lon: 180 });
    index.set({ id: "same-meridian" }, { lat: 70, lon: 0 });
    expect(index.nearest({ lat: 85, lon: 0 }, 1)[0]?.node.id).toBe("over-the-pole");
  });
});
