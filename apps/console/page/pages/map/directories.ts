/** The directories of the cluster: the one that tells the page of it, and those that it follows. */
import type { DirectoryAnswer } from "../../api/answers.ts";
import type { Nodes, ShownNode } from "./nodes.ts";
import type { LatLon } from "./projection.ts";

/** What a directory says of itself. */
export type DirectoryFacts = DirectoryAnswer<"/status">;

/** How a directory stands, for the one that tells the page of the cluster. */
export type Standing = "here" | "followed" | "unreached";

/** A directory as the map shows it. */
export interface ShownDirectory {
  /** What it is chosen by: no id of a node. */
  readonly key: string;
  /** What the operator calls it, or else its host. */
  readonly name: string;
  /** Where the directory that tells of the cluster reaches it; null for that directory itself. */
  readonly peer: string | null;
  /** Its address. */
  readonly url: string;
  /** Undefined if it has none, or nobody could ask. */
  readonly place: LatLon | undefined;
  readonly standing: Standing;
  readonly version: string | undefined;
}

/** What each followed directory said last, by its name in `peers`. */
export type PeerFacts = ReadonlyMap<string, DirectoryFacts>;

/** All directories, first the one that tells of the others, at `url`. One that cannot be asked keeps the place that it had. */
export function directoriesOf(
  own: DirectoryFacts,
  peers: PeerFacts,
  url: string,
): readonly ShownDirectory[] {
  return [
    {
      key: keyOf(""),
      name: own.id ?? "directory",
      peer: null,
      url,
      place: placeOf(own),
      standing: "here",
      version: own.version,
    },
    ...own.peers.map(({ name, connected }): ShownDirectory => {
      const facts = peers.get(name);
      return {
        key: keyOf(name),
        name: facts?.id ?? hostOf(name),
        peer: name,
        url: name,
        place: facts && placeOf(facts),
        standing: connected ? "followed" : "unreached",
        version: facts?.version,
      };
    }),
  ];
}

/** Whether a node has its link to a directory. */
function isLinkedTo(node: ShownNode, { peer }: ShownDirectory): boolean {
  return node.status !== "gone" && node.peer === peer;
}

/** How many nodes have their links to a directory. */
export function linkedTo(directory: ShownDirectory, nodes: Nodes): number {
  return [...nodes.values()].filter((node) => isLinkedTo(node, directory)).length;
}

/** What changes when directories may have come or gone: which nodes are there, and where they have their links. */
export function arrangementOf(nodes: Nodes): string {
  return [...nodes.values()].map(({ id, status, peer }) => `${id} ${status} ${peer}`).join("\n");
}

function keyOf(peer: string): string {
  return `directory ${peer}`;
}

function placeOf({ lat, lon }: DirectoryFacts): LatLon | undefined {
  return typeof lat === "number" && typeof lon === "number" ? { lat, lon } : undefined;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}
