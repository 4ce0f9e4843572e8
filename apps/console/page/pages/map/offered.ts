/** Which nodes directories offer to clients, and why not the others. */
import { distanceText, metersBetween } from "./distance.ts";
import type { Nodes, ShownNode } from "./nodes.ts";
import type { LatLon } from "./projection.ts";

/** Why `GET /nearest` leaves a node out; undefined for one that it offers. */
export function whyNotOffered(node: ShownNode, lagMaxMs: number): string | undefined {
  if (node.status !== "ready") return `it is ${node.status}`;
  if (node.load.refusing === true) return "it has more load than it takes, and refuses requests";
  if (node.lagMs < lagMaxMs) return undefined;
  return `it is ${Math.round(node.lagMs).toLocaleString("en")} ms behind, of ${lagMaxMs.toLocaleString("en")} ms allowed`;
}

/** The nodes that are nearer to a place than the first that is offered, as sentences that say why they are not offered themselves. */
export function passedOver(
  nodes: Nodes,
  place: LatLon,
  first: { readonly id: string; readonly lat: number; readonly lon: number } | undefined,
  lagMaxMs: number,
): readonly string[] {
  const bound = first === undefined ? Infinity : metersBetween(place, first);
  return [...nodes.values()]
    .filter(({ id }) => id !== first?.id)
    .map((node) => ({ node, meters: metersBetween(place, node) }))
    .filter(({ meters }) => meters < bound)
    .toSorted((a, b) => a.meters - b.meters)
    .slice(0, SHOWN)
    .map(({ node, meters }) => {
      const why = whyNotOffered(node, lagMaxMs) ?? "it was not when the directory was asked";
      return `${node.id} is nearer (${distanceText(meters)}) and not offered: ${why}.`;
    });
}

/** How many sentences are said. */
const SHOWN = 5;
