import { expect, it } from "vitest";
import { request, startCluster, until } from "@meridian/harness";

import { LINK_MANNERS, UPGRADE } from "../attacks/link-manners.ts";
import { Crowd, MANNERS, type Attackers, type Manner } from "../attacks/manners.ts";
import { lineOf, siege, type SiegeReport, type Target } from "../attacks/siege.ts";
import { SOCKET_MANNERS, SOCKET_UPGRADE } from "../attacks/socket-manners.ts";
import { fortressesOf, linksOf, socketsOf } from "../attacks/targets.ts";

const PLACES = [
  { id: "paris", lat: 48.9, lon: 2.4 },
  { id: "tokyo", lat: 35.7, lon: 139.7 },
];

/**
 * How many clients attack in each manner, and for how long: what a manner costs shows in its first moments. All manners attack
 * at once; `npm run hunt:attacks` tries one after the other, for longer and with more clients.
 */
const CLIENTS = 12;
const SIEGE_MS = 3_000;

/** The same on links: a few are as loud as many, and their noise is made in this process. */
const PEERS = 12;
const LINK_SIEGE_MS = 500;

/** Attacks in all manners at once, and expects that it holds. */
async function siegeAtOnce(
  name: string,
  target: Target,
  manners: Readonly<Record<string, Manner>>,
  requests: readonly Buffer[],
): Promise<void> {
  const attack = (): Attackers => {
    // Each manner begins at another route, so that every route is attacked in some.
    const crowds = Object.values(manners).map((behave, index) => {
      const first = (index * CLIENTS) % requests.length;
      const turned = [...requests.slice(first), ...requests.slice(0, first)];
      return new Crowd(target.url, behave, turned, CLIENTS);
    });
    expect(crowds.length * CLIENTS).toBeGreaterThan(requests.length);
    return {
      get cut() {
        return crowds.reduce((sum, { cut }) => sum + cut, 0);
      },
      leave: () => crowds.forEach((crowd) => crowd.leave()),
    };
  };
  expectHeld(name, await siege(target, attack, SIEGE_MS));
}

function expectHeld(name: string, report: SiegeReport): void {
  console.log(lineOf(name, report));
  expect(report.grownBytes, `${name}: bytes grown`).toBeLessThan(report.allowedBytes);
  expect(report.health.answered, `${name}: health`).toBe(report.health.asked);
  // That it knows of a node all the while, a machine with little time to spare cannot promise.
  expect(report.nearest.answered, `${name}: nearest`).toBe(report.nearest.asked);
}

async function siegeAll(
  name: string,
  target: Target,
  manners: Readonly<Record<string, Manner>>,
  upgrade: Buffer,
): Promise<void> {
  for (const [manner, behave] of Object.entries(manners)) {
    const attack = (): Crowd => new Crowd(target.url, behave, [upgrade], PEERS);
    expectHeld(`${name}, ${manner}`, await siege(target, attack, LINK_SIEGE_MS));
  }
}

it(
  "no client that never reads, never ends, or sends without end costs a program more than its bounds, or others its service",
  { timeout: 900_000 },
  async () => {
    const cluster = await startCluster(PLACES);
    for (const { name, target, requests } of await fortressesOf(cluster)) {
      expect(requests.length).toBeGreaterThan(8);
      const bytes = requests.map((each) => each.bytes);
      await siegeAtOnce(name, target, MANNERS, bytes);
    }
    const sockets = socketsOf(cluster);
    await siegeAtOnce(sockets.name, sockets.target, SOCKET_MANNERS, [SOCKET_UPGRADE]);
    await until("exactly both regions are offered", async () => {
      return (await cluster.offered()).toSorted().join() === "paris,tokyo";
    });
  },
);

it(
  "no peer on a link, whatever it sends or does not read, costs the directory more than its bounds, or others their link",
  { timeout: 300_000 },
  async () => {
    const cluster = await startCluster(PLACES);
    const { target } = linksOf(cluster);
    await siegeAll("links", target, LINK_MANNERS, UPGRADE);
    await until("both regions are offered", async () => {
      const ids = await cluster.offered();
      return ids.includes("paris") && ids.includes("tokyo");
    });
    const counted = await (await request(`${target.url}/metrics`)).text();
    expect(counted).toMatch(/meridian_link_cuts_total\{reason="MALFORMED_MESSAGE"\} [1-9]/);
  },
);
