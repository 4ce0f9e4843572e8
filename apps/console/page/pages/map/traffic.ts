/** Frames of the log on their way between nodes, as a directory tells of them. */
import type { LatLon } from "./projection.ts";

/** What an event `frames` tells: how many frames have come from which nodes, and left to which. */
export interface Frames {
  readonly from: Readonly<Record<string, number>>;
  /** The first of those that frames have left to. */
  readonly to: Readonly<Record<string, number>>;
  /** How many all of them are. */
  readonly reached: number;
}

/** Frames from one node to another. */
export interface Flow {
  readonly from: string;
  readonly to: string;
  readonly count: number;
}

/** How many flows are drawn for one event. */
const FLOWS_MAX = 200;

/** Reads the data of an event `frames`. */
export function framesOf(data: string): Frames {
  return JSON.parse(data) as Frames;
}

/** The flows of frames: each frame goes to every other node. Those of the busiest nodes come first. */
export function flowsOf({ from, to }: Frames): readonly Flow[] {
  return Object.entries(from)
    .toSorted(([, a], [, b]) => b - a)
    .flatMap(([source, count]) =>
      Object.keys(to)
        .filter((target) => target !== source)
        .map((target) => ({ from: source, to: target, count })),
    )
    .slice(0, FLOWS_MAX);
}

/** A part of the way of frames. */
export interface Leg {
  readonly from: LatLon;
  readonly to: LatLon;
  readonly count: number;
  /** Whether it begins at the directory, when the frames have come there. */
  readonly isOnward: boolean;
}

/**
 * The ways of frames on the map: from each node to the directory's place, and from there to the others. Where the directory has no
 * place, they go from node to node.
 */
export function legsOf(
  frames: Frames,
  nodes: ReadonlyMap<string, LatLon>,
  directory: LatLon | undefined,
): readonly Leg[] {
  const leg = (
    from: LatLon | undefined,
    to: LatLon | undefined,
    count: number,
    isOnward: boolean,
  ): readonly Leg[] =>
    from === undefined || to === undefined || isSamePlace(from, to)
      ? []
      : [{ from, to, count, isOnward }];
  if (directory === undefined) {
    return flowsOf(frames).flatMap(({ from, to, count }) =>
      leg(nodes.get(from), nodes.get(to), count, false),
    );
  }
  const inward = Object.entries(frames.from).toSorted(([, a], [, b]) => b - a);
  return [
    ...inward.flatMap(([id, count]) => leg(nodes.get(id), directory, count, false)),
    ...Object.entries(frames.to).flatMap(([id, count]) =>
      leg(directory, nodes.get(id), count, true),
    ),
  ].slice(0, FLOWS_MAX);
}

/** What was seen of frames, in words; undefined before any. */
export function framesText({ from, reached }: Frames): string {
  const sources = Object.entries(from).toSorted(([, a], [, b]) => b - a);
  const [first] = sources;
  if (first === undefined) return "";
  const others = sources.length === 1 ? "" : ` and ${sources.length - 1} more`;
  const all = sources.reduce((sum, [, count]) => sum + count, 0);
  return `${all} frame${all === 1 ? "" : "s"} from ${first[0]}${others} to ${reached} node${reached === 1 ? "" : "s"}`;
}

/** Whether two places are so near each other that nothing between them can be seen. */
function isSamePlace(a: LatLon, b: LatLon): boolean {
  return Math.abs(a.lat - b.lat) < 0.01 && Math.abs(a.lon - b.lon) < 0.01;
}
