/** What a directory says of nodes. */
import { MeridianError, type Coordinates } from "@meridian/protocol";

import type { RawAnswer } from "./exchange.ts";
import { errorOf, membersOf, readJson } from "./problem.ts";

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
  const { nodes } = membersOf(readJson(answer, `the directory ${directory}`));
  if (!Array.isArray(nodes)) {
    throw new MeridianError("INTERNAL", `Expected \`nodes\` from ${directory}, got something else`);
  }
  return nodes.flatMap((node: unknown) => readNode(membersOf(node)) ?? []);
}

function readNode(node: Readonly<Record<string, unknown>>): NodeInfo | undefined {
  const { id, region, url, distanceMeters, lagMs } = node;
  if (typeof id !== "string" || typeof url !== "string" || !isHttpUrl(url)) return undefined;
  return {
    id,
    region: typeof region === "string" ? region : id,
    url: url.replace(/\/+$/, ""),
    distanceMeters: typeof distanceMeters === "number" ? distanceMeters : 0,
    lagMs: typeof lagMs === "number" ? lagMs : undefined,
  };
}

function isHttpUrl(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}
