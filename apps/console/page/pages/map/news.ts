import type { Nodes } from "./nodes.ts";

/** How many nodes are named at once. */
const NAMED_MAX = 5;

/** What has become of nodes, in words; empty where nothing has. */
export function newsOf(before: Nodes, after: Nodes): string {
  const changed = [...after.values()]
    .filter(({ id, status }) => before.get(id)?.status !== status)
    .map(({ id, status }) => `${id} is ${status}`);
  const forgotten = [...before.keys()]
    .filter((id) => !after.has(id))
    .map((id) => `${id} is forgotten`);
  const all = [...changed, ...forgotten];
  const more = all.length > NAMED_MAX ? `, and ${all.length - NAMED_MAX} more have changed` : "";
  return all.slice(0, NAMED_MAX).join(", ") + more;
}
