/** What a directory says of nodes. */
import type { Coordinates } from "@meridian/protocol";
import { checkAnswer, nearestNode } from "@meridian/protocol/http-api";
import * as v from "valibot";

import type { RawAnswer } from "./exchange.ts";
import { errorOf, readJson } from "./problem.ts";

/** A node as the directory describes it. */
export interface NodeInfo {
  readonly id: string;
  readonly region: string;
  /** Where it serves clients, without a last slash. */
  readonly url: string;
  /** How far it is from the client's location; 0 where no location is known. */
  readonly distanceMeters: number;
  /** How far it was behind when the directory last told of it, in milliseconds; undefined where nobody has. */
  readonly lagMs?: number | undefined;
}

/** What a client looks for. */
export interface Wanted {
  readonly location: Coordinates;
  /** How many nodes. */
  readonly limit: number;
}

/**
 * The nodes in a directory's answer, in its order. An entry without an id or a URL that can be read is left out: one
 * node that was started with a wrong address must not cost a client all others. Throws what the directory answered
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

/** What has to be known of a node. */
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
  return { ...output, region: output.region ?? output.id, url: output.url.replace(/\/+$/, "") };
}

function isHttpUrl(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}
