import type { DirectoryAnswer } from "../../api/answers.ts";
import type { SentEvent } from "../../api/event-stream.ts";

/** A node as a directory describes it. */
export type ShownNode = DirectoryAnswer<"/nodes">["nodes"][number];

/** The nodes by their ids. */
export type Nodes = ReadonlyMap<string, ShownNode>;

/** The nodes after an event. Events of other names change nothing. */
export function nodesAfter(nodes: Nodes, { name, data }: SentEvent): Nodes {
  if (name === "nodes") {
    const all = JSON.parse(data) as { readonly nodes: readonly ShownNode[] };
    return new Map(all.nodes.map((node) => [node.id, node]));
  }
  const next = new Map(nodes);
  if (name === "node") {
    const node = JSON.parse(data) as ShownNode;
    next.set(node.id, node);
  } else if (name === "progress") {
    for (const told of progressOf(data)) {
      const node = next.get(told.id);
      if (node !== undefined && node.status !== "gone") next.set(told.id, { ...node, ...told });
    }
  } else if (name === "forgotten") {
    next.delete((JSON.parse(data) as { readonly id: string }).id);
  } else return nodes;
  return next;
}

type Present = Exclude<ShownNode, { readonly status: "gone" }>;

/** What changes all the time of a node that is there. */
type Progress = Pick<
  Present,
  "id" | "lagMs" | "load" | "appliedThrough" | "outboxPending" | "skewMs"
>;

/** The nodes that an event `progress` tells of. */
function progressOf(data: string): readonly Progress[] {
  return (JSON.parse(data) as { readonly nodes: readonly Progress[] }).nodes;
}

/** How many lags of each node are kept, for its line. */
const LAGS_KEPT = 60;

/** The last lags of each node, oldest first. */
export type Lags = ReadonlyMap<string, readonly number[]>;

/** The lags with those of the nodes as they are now. Nodes that are gone keep what they had; those that were forgotten have none. */
export function lagsWith(lags: Lags, nodes: Nodes): Lags {
  return new Map(
    [...nodes.values()].map(({ id, lagMs }) => {
      const before = lags.get(id) ?? [];
      return [id, lagMs === null ? before : [...before, lagMs].slice(-LAGS_KEPT)];
    }),
  );
}
