/** Reads the nodes of a directory's answer. */
import { withoutTrailingSlashes, type Coordinates } from "@meridian/protocol";
import { checkAnswer, nearestNode } from "@meridian/protocol/http-api";
import * as v from "valibot";

import type { RawAnswer } from "./exchange.ts";
import { errorOf, readJson } from "./problem.ts";

/** A node as the directory describes it. */
export interface NodeInfo {
  readonly id: string;
  readonly region: string;
  /** The URL at which the node serves clients, without a slash at its end. */
  readonly url: string;
  /** The distance from the client's location, in meters; 0 if no location is known. */
  readonly distanceMeters: number;
  /** The node's lag in the directory's last answer, in milliseconds; undefined if no directory has named the node. */
  readonly lagMs?: number | undefined;
}

/** What a client looks for. */
export interface Wanted {
  readonly location: Coordinates;
  /** How many nodes. */
  readonly limit: number;
}

/**
 * The nodes in a directory's answer, in its order. An entry without an id or a valid URL is left out, so that one
 * node with a wrong address does not hide all others. Throws the error that the directory answered
 * instead of a list.
 */
export function nodesOf(answer: RawAnswer, directory: string): readonly NodeInfo[] {
  const error = errorOf(answer, `The directory ${directory}`);
  if (error !== undefined) throw error;
  const from = `the directory ${directory}`;
  const { nodes } = checkAnswer(listed, readJson(answer, from), from);
  return nodes.flatMap((node) => readNode(node) ?? []);
}

const listed = v.object({ nodes: v.array(v.unknown()) });

const { id, region, url, distanceMeters, lagMs } = nearestNode.entries;

/** The members that a node must have. */
const knownNode = v.object({
  id,
  url,
  region: v.optional(region),
  distanceMeters: v.optional(distanceMeters, 0),
  lagMs: v.optional(lagMs),
});

function readNode(node: unknown): NodeInfo | undefined {
  const { success, output } = v.safeParse(knownNode, node);
  if (!success || !isHttpUrl(output.url)) return undefined;
  return { ...output, region: output.region ?? output.id, url: withoutTrailingSlashes(output.url) };
}

function isHttpUrl(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}
