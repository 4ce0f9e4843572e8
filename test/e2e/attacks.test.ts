import { expect, it } from "vitest";
import { startCluster } from "@meridian/harness";

import { Crowd, MANNERS } from "../attacks/manners.ts";
import { lineOf, siege } from "../attacks/siege.ts";
import { fortressesOf } from "../attacks/targets.ts";

const PLACES = [
  { id: "paris", lat: 48.9, lon: 2.4 },
  { id: "tokyo", lat: 35.7, lon: 139.7 },
];

/** How many clients attack, and for how long. */
const CLIENTS = 40;
const SIEGE_MS = 2_000;

it(
  "no client that never reads, never ends, or sends without end costs a program more than its bounds, or others its service",
  { timeout: 900_000 },
  async () => {
    const cluster = await startCluster(PLACES);
    for (const { name, target, requests } of await fortressesOf(cluster)) {
      expect(requests.length).toBeGreaterThan(8);
      const bytes = requests.map((each) => each.bytes);
      for (const [manner, behave] of Object.entries(MANNERS)) {
        const attack = (): Crowd => new Crowd(target.url, behave, bytes, CLIENTS);
        const report = await siege(target, attack, SIEGE_MS);
        console.log(lineOf(`${name}, ${manner}`, report));
        expect(report.grownBytes, `${name}, ${manner}`).toBeLessThan(report.allowedBytes);
        expect(report.health.answered, `${name}, ${manner}`).toBe(report.health.asked);
        // That it knows of a node all the while, a machine with little time to spare cannot promise.
        expect(report.nearest.answered, `${name}, ${manner}`).toBe(report.nearest.asked);
      }
    }
    const ids = (await cluster.offered()).toSorted();
    expect(ids).toEqual(["paris", "tokyo"]);
  },
);
