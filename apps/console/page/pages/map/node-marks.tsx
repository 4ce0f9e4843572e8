import { useState } from "preact/hooks";

import type { ShownDirectory } from "./directories.ts";
import { labelPlaces } from "./labels.ts";
import type { Nodes, ShownNode } from "./nodes.ts";
import { pixelOf, type MapProjection } from "./projection.ts";
import { colourOf, DIRECTORY_LOOKS, lookOf, VERDICT_LOOKS, type Verdict } from "./shapes.ts";
import { ARROWS, markBeside, markTowards, PAGES, type Mark } from "./steer.ts";

/** With more nodes than this, their marks are small. */
const LARGE_MAX = 60;

/** A mark with all that it shows. */
interface ShownMark extends Mark {
  /** The id of its element. */
  readonly element: string;
  readonly name: string;
  readonly label: string;
  readonly colour: string;
  readonly shape: string;
  readonly status: string | undefined;
  readonly lagMs: number | null;
}

/** The marks of the nodes, and of the directories that have places. Tab goes to one of them, the arrow keys from there to the others. */
export function NodeMarks({
  map,
  nodes,
  directories,
  verdicts,
  selected,
  onSelect,
}: {
  readonly map: MapProjection;
  readonly nodes: Nodes;
  readonly directories: readonly ShownDirectory[];
  readonly verdicts: ReadonlyMap<string, Verdict> | undefined;
  readonly selected: string | undefined;
  readonly onSelect: (id: string) => void;
}) {
  const [steered, setSteered] = useState<string>();
  const marks = judged(marksOf(map, nodes, directories), verdicts);
  const first =
    [steered, selected].find((id) => marks.some((mark) => mark.id === id)) ?? marks[0]?.id;
  const labels = labelPlaces(marks, map.width);
  const scale = nodes.size > LARGE_MAX ? 0.6 : map.width < 560 ? 0.8 : 1;
  const onKeyDown = (event: KeyboardEvent): void => {
    const mark = marks.find(({ id }) => id === first);
    const [arrow, page] = [ARROWS[event.key], PAGES[event.key]];
    if (mark === undefined) return;
    if (arrow !== undefined || page !== undefined) {
      event.preventDefault();
      const next = arrow ? markTowards(marks, mark, arrow) : markBeside(marks, mark, page ?? 1);
      const element = marks.find(({ id }) => id === next)?.element;
      if (element === undefined) return;
      setSteered(next);
      document.querySelector<SVGElement>(`#${CSS.escape(element)}`)?.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      onSelect(mark.id);
    }
  };
  return (
    <g onKeyDown={onKeyDown}>
      {marks.map((mark) => (
        <g
          key={mark.id}
          id={mark.element}
          class={`mark ${mark.colour}`}
          role="button"
          tabindex={mark.id === first ? 0 : -1}
          aria-label={mark.label}
          aria-pressed={mark.id === selected}
          data-status={mark.status}
          transform={`translate(${mark.pixel[0].toFixed(2)} ${mark.pixel[1].toFixed(2)})`}
          onFocus={() => setSteered(mark.id)}
          onClick={(event) => {
            event.stopPropagation();
            onSelect(mark.id);
          }}
        >
          <circle class="halo" r={14 * scale} />
          <path class="shape" d={mark.shape} transform={`scale(${scale})`} />
          {labels.has(mark.id) && <Label mark={mark} side={labels.get(mark.id) ?? 1} />}
        </g>
      ))}
    </g>
  );
}

function marksOf(
  map: MapProjection,
  nodes: Nodes,
  directories: readonly ShownDirectory[],
): readonly ShownMark[] {
  const ofNodes = [...nodes.values()].map((node): ShownMark => ({
    id: node.id,
    element: `node-${node.id}`,
    name: node.id,
    label: labelOf(node),
    pixel: pixelOf(map, node),
    colour: colourOf(node.status),
    shape: lookOf(node.status).shape,
    status: node.status,
    lagMs: node.lagMs,
  }));
  const ofDirectories = directories.flatMap(
    ({ key, name, place, standing }, index): readonly ShownMark[] =>
      place === undefined
        ? []
        : [
            {
              id: key,
              element: `directory-${index}`,
              name,
              label: `${name}, a directory that ${DIRECTORY_LOOKS[standing].meaning}`,
              pixel: pixelOf(map, place),
              colour: `is-directory is-${standing}`,
              shape: DIRECTORY_LOOKS[standing].shape,
              status: undefined,
              lagMs: null,
            },
          ],
  );
  return [...ofNodes, ...ofDirectories];
}

/** Marks that show how what they stand for compares. A directory that holds the same keeps its shape. */
function judged(
  marks: readonly ShownMark[],
  verdicts: ReadonlyMap<string, Verdict> | undefined,
): readonly ShownMark[] {
  if (verdicts === undefined) return marks;
  return marks.map((mark) => {
    const { shape, colour, meaning } = VERDICT_LOOKS[verdicts.get(mark.id) ?? "unknown"];
    const isDirectory = mark.status === undefined;
    const shown = isDirectory && meaning === VERDICT_LOOKS.same.meaning ? mark.shape : shape;
    return { ...mark, shape: shown, colour, label: `${mark.name} ${meaning}`, lagMs: null };
  });
}

function Label({ mark, side }: { readonly mark: ShownMark; readonly side: 1 | -1 }) {
  const { name: whole, lagMs } = mark;
  const name = whole.length > 18 ? `${whole.slice(0, 17)}…` : whole;
  return (
    <text
      class="label"
      x={12 * side}
      y={4}
      text-anchor={side === 1 ? "start" : "end"}
      aria-hidden="true"
    >
      {name}
      {lagMs !== null && lagMs >= 1 && (
        <tspan class="lag" dx="5">
          {lagText(lagMs)}
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
