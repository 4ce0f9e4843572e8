import { useState } from "preact/hooks";

import { labelPlaces } from "./labels.ts";
import type { Nodes, ShownNode } from "./nodes.ts";
import { pixelOf, type MapProjection } from "./projection.ts";
import { colourOf, lookOf } from "./shapes.ts";
import { ARROWS, markBeside, markTowards, PAGES } from "./steer.ts";

/** With more nodes than this, their marks are small. */
const LARGE_MAX = 60;

/** The marks of the nodes. Tab goes to one of them, the arrow keys from there to the others. */
export function NodeMarks({
  map,
  nodes,
  selected,
  onSelect,
}: {
  readonly map: MapProjection;
  readonly nodes: Nodes;
  readonly selected: string | undefined;
  readonly onSelect: (id: string) => void;
}) {
  const [steered, setSteered] = useState<string>();
  const marks = [...nodes.values()].map((node) => ({
    id: node.id,
    node,
    pixel: pixelOf(map, node),
  }));
  const first = [steered, selected].find((id) => id !== undefined && nodes.has(id)) ?? marks[0]?.id;
  const labels = labelPlaces(marks, map.width);
  const scale = nodes.size > LARGE_MAX ? 0.6 : map.width < 560 ? 0.8 : 1;
  const onKeyDown = (event: KeyboardEvent): void => {
    const mark = marks.find(({ id }) => id === first);
    const [arrow, page] = [ARROWS[event.key], PAGES[event.key]];
    if (mark === undefined) return;
    if (arrow !== undefined || page !== undefined) {
      event.preventDefault();
      const next = arrow ? markTowards(marks, mark, arrow) : markBeside(marks, mark, page ?? 1);
      if (next === undefined) return;
      setSteered(next);
      document.querySelector<SVGElement>(`#${CSS.escape(`node-${next}`)}`)?.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      onSelect(mark.id);
    }
  };
  return (
    <g onKeyDown={onKeyDown}>
      {marks.map(({ id, node, pixel: [x, y] }) => (
        <g
          key={id}
          id={`node-${id}`}
          class={`mark ${colourOf(node.status)}`}
          role="button"
          tabindex={id === first ? 0 : -1}
          aria-label={labelOf(node)}
          aria-pressed={id === selected}
          data-status={node.status}
          transform={`translate(${x.toFixed(2)} ${y.toFixed(2)})`}
          onFocus={() => setSteered(id)}
          onClick={(event) => {
            event.stopPropagation();
            onSelect(id);
          }}
        >
          <circle class="halo" r={14 * scale} />
          <path class="shape" d={lookOf(node.status).shape} transform={`scale(${scale})`} />
          {labels.has(id) && <Label node={node} side={labels.get(id) ?? 1} />}
        </g>
      ))}
    </g>
  );
}

function Label({ node, side }: { readonly node: ShownNode; readonly side: 1 | -1 }) {
  const name = node.id.length > 18 ? `${node.id.slice(0, 17)}…` : node.id;
  return (
    <text
      class="label"
      x={12 * side}
      y={4}
      text-anchor={side === 1 ? "start" : "end"}
      aria-hidden="true"
    >
      {name}
      {node.lagMs !== null && node.lagMs >= 1 && (
        <tspan class="lag" dx="5">
          {lagText(node.lagMs)}
        </tspan>
      )}
    </text>
  );
}

/** A lag for people. */
export function lagText(lagMs: number): string {
  return lagMs < 1_000 ? `${Math.round(lagMs)} ms` : `${(lagMs / 1_000).toFixed(1)} s`;
}

function labelOf(node: ShownNode): string {
  const lag = node.lagMs === null ? "" : `, ${lagText(node.lagMs)} behind`;
  return `${node.id}, ${node.status}${lag}`;
}
