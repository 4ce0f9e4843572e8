/** Collects the state of every directory and every node, in which `complaints.ts` finds problems. */
import { MeridianError } from "@meridian/protocol";
import {
  directoryStatus,
  regionStatus,
  type absentNode,
  type Described,
  type presentNode,
} from "@meridian/protocol/http-api";
import * as v from "valibot";

import { identityOf, namedBy } from "./directory-identity.ts";

/** What a directory has to say of itself. */
export const DIRECTORY_SAYS = v.pick(directoryStatus, [
  "cluster",
  "version",
  "nodes",
  "logId",
  "url",
  "peers",
  "beside",
  "clocks",
  "syncing",
  "stall",
  "damage",
  "snapshots",
  "lagMaxMs",
  "gauges",
  "disk",
]);

export type DirectorySays = Described<typeof DIRECTORY_SAYS>;

/** What a node has to say of itself. */
export const NODE_SAYS = v.pick(regionStatus, [
  "id",
  "cluster",
  "version",
  "status",
  "replica",
  "shortage",
  "damage",
  "directoriesFound",
  "gauges",
  "disk",
]);

export type NodeSays = Described<typeof NODE_SAYS>;

/** A program that was asked. */
export interface Asked<Status> {
  readonly url: string;
  /** Its `/status`; undefined if it could not be asked. */
  readonly status: Status | undefined;
  /** Why it could not be asked. */
  readonly failure: string | undefined;
  /** When its certificate expires, in milliseconds since the Unix epoch; undefined without one. */
  readonly expiresAtMs: number | undefined;
}

/** A directory. */
export type AskedDirectory = Asked<DirectorySays>;

/** A node as a directory lists it. */
export type ListedNode = Pick<
  Described<typeof presentNode | typeof absentNode>,
  "id" | "url" | "status" | "goneSinceMs"
>;

/** A node, and how its directories list it. */
export interface AskedNode extends Asked<NodeSays> {
  readonly id: string;
  readonly listed: ListedNode;
}

/** A cluster as it was found. */
export interface Checkup {
  readonly nowMs: number;
  readonly directories: readonly AskedDirectory[];
  readonly nodes: readonly AskedNode[];
}

/** Asks programs. `directory` and `node` never reject. */
export interface Asker {
  /** Asks the directory at a URL without a last slash. */
  directory(url: string): Promise<AskedDirectory>;
  /** The nodes that it lists. */
  nodes(url: string): Promise<readonly ListedNode[]>;
  node(listed: ListedNode): Promise<Asked<NodeSays>>;
}

/** How many nodes are asked at once. */
const AT_ONCE = 32;

/** Asks the directories of these URLs, those that they follow or that have the same log, and all nodes. Throws `DIRECTORY_UNREACHABLE` if none answers. */
export async function examine(
  urls: readonly string[],
  asker: Asker,
  nowMs: number,
): Promise<Checkup> {
  const directories: AskedDirectory[] = [];
  const seen = new Set<string>();
  const known = new Set<string>();
  for (let next = urls; next.length > 0;) {
    for (const url of next) seen.add(url);
    const asked = await Promise.all(next.map((url) => asker.directory(url)));
    for (const directory of asked) {
      // One directory may be reached by several URLs.
      const { status } = directory;
      if (status !== undefined && known.has(identityOf(status))) continue;
      directories.push(directory);
      if (status !== undefined) known.add(identityOf(status));
    }
    const named = asked.flatMap(({ status }) =>
      status === undefined ? [] : namedBy(status, known),
    );
    next = [...new Set(named)].filter((url) => !seen.has(url));
  }
  if (known.size === 0) {
    const said = directories.map(({ failure }) => failure).join("; ");
    throw new MeridianError("DIRECTORY_UNREACHABLE", said);
  }
  return { nowMs, directories, nodes: await askNodes(await listedAt(directories, asker), asker) };
}

async function listedAt(
  directories: readonly AskedDirectory[],
  asker: Asker,
): Promise<readonly ListedNode[]> {
  const listed = new Map<string, ListedNode>();
  for (const { url, status } of directories) {
    if (status === undefined) continue;
    for (const node of await asker.nodes(url)) {
      // A node that is gone at one directory may be connected to another.
      const known = listed.get(node.id);
      if (known === undefined || known.status === "gone") listed.set(node.id, node);
    }
  }
  return [...listed.values()];
}

async function askNodes(
  listed: readonly ListedNode[],
  asker: Asker,
): Promise<readonly AskedNode[]> {
  const nodes: AskedNode[] = [];
  // Nodes that are gone are asked last: waiting for them could use up all the time.
  const isGone = ({ goneSinceMs }: ListedNode): number => (goneSinceMs === null ? 0 : 1);
  const left = listed.toSorted((a, b) => isGone(a) - isGone(b)).values();
  const askNext = async (): Promise<void> => {
    for (const node of left) nodes.push({ id: node.id, listed: node, ...(await asker.node(node)) });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, askNext));
  return nodes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
