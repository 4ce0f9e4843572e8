/**
 * Attacks both programs by each route with each behaviour, one after the other, longer and with more clients than the checks do:
 * `npm run hunt:attacks [-- --clients 400 --seconds 10 --only "batch/get"]`. `--only` is a regular
 * expression that the names of the attacks in the report are to match. Ends with 1 if a bound did not hold.
 */
import { parseArgs } from "node:util";
import { Cluster } from "@meridian/harness";

import { CrowdProcess, type MannerTable } from "./crowd-process.ts";
import { LINK_MANNERS, UPGRADE } from "./link-manners.ts";
import { MANNERS } from "./manners.ts";
import { SOCKET_MANNERS, SOCKET_UPGRADE } from "./socket-manners.ts";
import { lineOf, siege, type SiegeReport } from "./siege.ts";
import { fortressesOf, linksOf, socketsOf, type Fortress } from "./targets.ts";

const PLACES = [
  { id: "paris", lat: 48.9, lon: 2.4 },
  { id: "tokyo", lat: 35.7, lon: 139.7 },
];

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: "400" },
    seconds: { type: "string", default: "10" },
    only: { type: "string", default: "" },
  },
});

const only = new RegExp(values.only);
const cluster = new Cluster();
let failures = 0;
try {
  await cluster.start(PLACES);
  for (const fortress of await fortressesOf(cluster)) {
    for (const [manner] of Object.entries(MANNERS)) {
      for (const { route, bytes } of fortress.requests)
        await attack(fortress, "requests", manner, route, bytes);
    }
  }
  const links = linksOf(cluster);
  for (const manner of Object.keys(LINK_MANNERS))
    await attack(links, "links", manner, "/replicate", UPGRADE);
  const sockets = socketsOf(cluster);
  for (const manner of Object.keys(SOCKET_MANNERS))
    await attack(sockets, "sockets", manner, "/ws", SOCKET_UPGRADE);
} finally {
  await cluster.dispose();
}
process.exitCode = failures === 0 ? 0 : 1;

async function attack(
  { name, target }: Pick<Fortress, "name" | "target">,
  table: MannerTable,
  manner: string,
  route: string,
  bytes: Buffer,
): Promise<void> {
  const title = `${name}, ${route}, ${manner}`;
  if (!only.test(title)) return;
  const orders = { url: target.url, manner, table, bytes, clients: Number(values.clients) };
  try {
    const report = await siege(
      target,
      () => CrowdProcess.start(orders),
      Number(values.seconds) * 1_000,
    );
    const isHeld = holds(report);
    if (!isHeld) failures += 1;
    console.log(`${isHeld ? "held  " : "FAILED"} ${lineOf(title, report)}`);
  } catch (cause) {
    failures += 1;
    console.log(`FAILED ${title}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

function holds(report: SiegeReport): boolean {
  const { grownBytes, allowedBytes, health, nearest, nobodyReady } = report;
  const areFound = nearest.answered === nearest.asked && nobodyReady === 0;
  const areAnswered = health.answered === health.asked && areFound;
  return grownBytes < allowedBytes && areAnswered;
}
