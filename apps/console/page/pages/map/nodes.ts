import type { DirectoryAnswer } from "../../api/answers.ts";
import type { SentEvent } from "../../api/event-stream.ts";

/** A node as a directory describes it. */
type ShownNode = DirectoryAnswer<"/nodes">["nodes"][number];

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
  } else if (name === "forgotten") {
    next.delete((JSON.parse(data) as { readonly id: string }).id);
  } else return nodes;
  return next;
}
