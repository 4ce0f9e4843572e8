/** What the client asks of the directory. */
import { MeridianError, type Coordinates } from "@meridian/protocol";

import { exchange, NoAnswer, type Answer, type Network, type Patience } from "./exchange.ts";
import { errorOf, membersOf, readJson } from "./problem.ts";

/** A node as the directory describes it. */
export interface NodeInfo {
  readonly id: string;
  readonly region: string;
  /** Where it serves clients, without a last slash. */
  readonly url: string;
  /** How far it is from the client's location; 0 where no location is known. */
  readonly distanceMeters: number;
}

/** What `nearestNodes` looks for. */
export interface Wanted {
  readonly location: Coordinates;
  /** How many nodes. */
  readonly limit: number;
}

/**
 * The ready nodes nearest to a place, nearest first, from the first of `directories` that answers.
 * Throws `DIRECTORY_UNREACHABLE`, or what the directory answered (`NO_READY_NODE`, `INVALID_COORDINATES`, …).
 */
export async function nearestNodes(
  network: Network,
  directories: readonly string[],
  wanted: Wanted,
  patience: Patience,
): Promise<readonly NodeInfo[]> {
  const { lat, lon } = wanted.location;
  const failures: string[] = [];
  for (const directory of directories) {
    try {
      const url = `${directory}/nearest?lat=${lat}&lon=${lon}&limit=${wanted.limit}`;
      return readNodes(await exchange(network, { method: "GET", url }, patience), directory);
    } catch (cause) {
      const unanswered = cause instanceof NoAnswer;
      if (!unanswered && !(cause instanceof MeridianError && isOutage(cause))) throw cause;
      failures.push(`${directory}: ${cause.message}`);
    }
  }
  throw new MeridianError(
    "DIRECTORY_UNREACHABLE",
    `Expected an answer of the directory, got none (${failures.join("; ")})`,
    { details: { directories } },
  );
}

/** Whether another directory is worth asking. */
function isOutage(error: MeridianError): boolean {
  return error.retryable && error.code !== "NO_READY_NODE";
}

function readNodes(answer: Answer, directory: string): readonly NodeInfo[] {
  const error = errorOf(answer, `The directory ${directory}`);
  if (error !== undefined) throw error;
  const { nodes } = membersOf(readJson(answer, `the directory ${directory}`));
  if (!Array.isArray(nodes)) {
    throw new MeridianError("INTERNAL", `Expected \`nodes\` from ${directory}, got something else`);
  }
  return nodes.map((node: unknown) => readNode(membersOf(node), directory));
}

function readNode(node: Readonly<Record<string, unknown>>, directory: string): NodeInfo {
  const { id, region, url, distanceMeters } = node;
  if (typeof id === "string" && typeof url === "string" && URL.canParse(url)) {
    return {
      id,
      region: typeof region === "string" ? region : id,
      url: url.replace(/\/+$/, ""),
      distanceMeters: typeof distanceMeters === "number" ? distanceMeters : 0,
    };
  }
  throw new MeridianError(
    "INTERNAL",
    `Expected nodes with \`id\` and \`url\` from ${directory}, got \`${JSON.stringify(node).slice(0, 200)}\``,
  );
}
