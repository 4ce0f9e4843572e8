import type { Nodes } from "./nodes.ts";
import { colourOf, DIRECTORY_LOOKS, STATUS_LOOKS, type ShownStatus } from "./shapes.ts";

/** What the shapes and colours mean, and how many nodes have each. */
export function Legend({
  nodes,
  directories,
}: {
  readonly nodes: Nodes;
  /** How many directories the map shows. */
  readonly directories: number;
}) {
  const counts = new Map<string, number>();
  for (const { status } of nodes.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
  return (
    <ul class="legend" aria-label="Statuses">
      {(Object.keys(STATUS_LOOKS) as ShownStatus[]).map((status) => (
        <li
          key={status}
          title={STATUS_LOOKS[status].meaning}
          class={counts.has(status) ? "" : "none"}
        >
          <svg viewBox="-9 -9 18 18" class={`mark ${colourOf(status)}`} aria-hidden="true">
            <path class="shape" d={STATUS_LOOKS[status].shape} />
          </svg>
          {status} <b>{counts.get(status) ?? 0}</b>
        </li>
      ))}
      {directories > 0 && (
        <li title="A directory at its place">
          <svg viewBox="-9 -9 18 18" class="mark is-directory" aria-hidden="true">
            <path class="shape" d={DIRECTORY_LOOKS.followed.shape} />
          </svg>
          directory <b>{directories}</b>
        </li>
      )}
    </ul>
  );
}
