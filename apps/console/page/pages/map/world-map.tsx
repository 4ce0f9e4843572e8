/** The picture of the world: land, the areas of the nodes, and a mark for each node. */
import { geoGraticule10, geoPath } from "d3-geo";
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { bordersOf } from "./areas.ts";
import type { ShownDirectory } from "./directories.ts";
import { LAND } from "./land.ts";
import { NodeMarks } from "./node-marks.tsx";
import type { Nodes } from "./nodes.ts";
import { whyNotOffered } from "./offered.ts";
import type { Verdict } from "./shapes.ts";
import { mapProjection, pixelOf, placeAt, type LatLon, type MapProjection } from "./projection.ts";

/** With more nodes than this, the areas are drawn a moment later: a thousand take a third of a second. */
const AREAS_AT_ONCE = 100;
const AREAS_LATER_MS = 500;

/** What the map shows, and what it tells of. */
export interface WorldMapProps {
  readonly nodes: Nodes;
  readonly directories: readonly ShownDirectory[];
  readonly lagMaxMs: number;
  /** How nodes and directories compare, by what they are chosen by. Default: marks show how nodes stand. */
  readonly verdicts?: ReadonlyMap<string, Verdict>;
  readonly selected: string | undefined;
  /** The place that was asked about. */
  readonly pin: LatLon | undefined;
  readonly onSelect: (id: string) => void;
  readonly onPlace: (place: LatLon) => void;
  /** What is drawn above the map. */
  readonly children: (map: MapProjection) => ComponentChildren;
}

/** The map, as wide as there is room. */
export function WorldMap(props: WorldMapProps) {
  const { nodes, directories, lagMaxMs, selected, pin, onSelect, onPlace } = props;
  const frame = useRef<HTMLDivElement>(null);
  const map = useMapOf(frame);
  const borders = useBorders(nodes, lagMaxMs);
  const pinned = pin === undefined ? undefined : pixelOf(map, pin);
  const onClick = (event: MouseEvent & { readonly currentTarget: SVGSVGElement }): void => {
    const { left, top } = event.currentTarget.getBoundingClientRect();
    const place = placeAt(map, [event.clientX - left, event.clientY - top]);
    if (place !== undefined) onPlace(place);
  };
  return (
    <div class="world" ref={frame}>
      <svg
        width={map.width}
        height={map.height}
        role="group"
        aria-label={`Map of the world with ${nodes.size} nodes`}
        aria-describedby="map-keys"
        onClick={onClick}
      >
        <Ground map={map} />
        <path
          class="areas"
          d={borders === undefined ? "" : (geoPath(map.project)(borders) ?? "")}
        />
        {pinned !== undefined && (
          <g class="pin" transform={`translate(${pinned[0]} ${pinned[1]})`} aria-hidden="true">
            <circle r="11" />
            <circle r="3" class="point" />
          </g>
        )}
        <NodeMarks
          map={map}
          nodes={nodes}
          directories={directories}
          verdicts={props.verdicts}
          selected={selected}
          onSelect={onSelect}
        />
      </svg>
      {props.children(map)}
    </div>
  );
}

/** What does not change while the map is as wide as it is. */
function Ground({ map }: { readonly map: MapProjection }) {
  const [sphere, grid, land] = useMemo(() => {
    const path = geoPath(map.project);
    return [path({ type: "Sphere" }), path(geoGraticule10()), path(LAND)].map((d) => d ?? "");
  }, [map]);
  return (
    <>
      <path class="sea" d={sphere} />
      <path class="grid" d={grid} />
      <path class="land" d={land} />
    </>
  );
}

function useMapOf(frame: { readonly current: HTMLElement | null }): MapProjection {
  const [width, setWidth] = useState(960);
  useEffect(() => {
    const { current } = frame;
    if (current === null) return;
    const measure = (): void => setWidth(Math.max(280, Math.floor(current.clientWidth)));
    const observer = new ResizeObserver(measure);
    observer.observe(current);
    measure();
    return () => observer.disconnect();
  }, [frame]);
  return useMemo(() => mapProjection(width), [width]);
}

function useBorders(nodes: Nodes, lagMaxMs: number): ReturnType<typeof bordersOf> {
  const offered = [...nodes.values()].filter((node) => whyNotOffered(node, lagMaxMs) === undefined);
  const name = offered.map(({ lat, lon }) => `${lat},${lon}`).join(" ");
  const [borders, setBorders] = useState<ReturnType<typeof bordersOf>>();
  const places = useRef<readonly LatLon[]>(offered);
  places.current = offered;
  useEffect(() => {
    const draw = (): void => setBorders(bordersOf(places.current));
    if (places.current.length <= AREAS_AT_ONCE) return draw();
    const timer = setTimeout(draw, AREAS_LATER_MS);
    return () => clearTimeout(timer);
  }, [name]);
  return borders;
}
