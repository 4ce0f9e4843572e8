/** Draws frames as pulses along their ways between nodes, by their directory if it has a place. Where motion is not wanted, the ways light up instead. */
import { useEffect, useRef } from "preact/hooks";

import { wayBetween, type Way } from "./great-circle.ts";
import type { Nodes } from "./nodes.ts";
import type { LatLon, MapProjection } from "./projection.ts";
import { legsOf, type Frames } from "./traffic.ts";

/** How long a pulse is on its way, in milliseconds. */
const TRAVEL_MS = 1_100;

/** When a pulse goes on from the directory: as the one to it arrives, in milliseconds. */
const ONWARD_MS = 800;

/** How long the line behind it is, as a part of the way. */
const TAIL = 0.22;

/** How many pulses are on their way at most. */
const PULSES_MAX = 400;

interface Pulse {
  readonly way: Way;
  readonly startMs: number;
  readonly width: number;
}

/** What hears of frames. */
export type OnFrames = (frames: Frames) => void;

/** A picture above the map. `subscribe` hands it what hears of frames; it draws only while there are pulses. */
export function Pulses({
  map,
  nodes,
  directory,
  subscribe,
}: {
  readonly map: MapProjection;
  readonly nodes: Nodes;
  /** The place of the directory that tells of the frames. */
  readonly directory: LatLon | undefined;
  readonly subscribe: (listener: OnFrames) => () => void;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useRef({ nodes, directory });
  latest.current = { nodes, directory };
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const field = new PulseField(context, map);
    const unsubscribe = subscribe((frames) => {
      field.add(frames, latest.current.nodes, latest.current.directory);
    });
    return () => {
      unsubscribe();
      field.stop();
    };
  }, [map, subscribe]);
  const ratio = Math.min(2, devicePixelRatio);
  return (
    <canvas
      ref={canvas}
      class="pulses"
      width={Math.round(map.width * ratio)}
      height={Math.round(map.height * ratio)}
      aria-hidden="true"
    />
  );
}

class PulseField {
  readonly #context: CanvasRenderingContext2D;
  readonly #map: MapProjection;
  readonly #ways = new Map<string, Way>();
  readonly #isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  #pulses: Pulse[] = [];
  #frame: number | undefined;

  constructor(context: CanvasRenderingContext2D, map: MapProjection) {
    this.#context = context;
    this.#map = map;
  }

  add(frames: Frames, nodes: Nodes, directory: LatLon | undefined): void {
    const nowMs = performance.now();
    for (const { from, to, count, isOnward } of legsOf(frames, nodes, directory)) {
      if (this.#pulses.length >= PULSES_MAX) break;
      const name = [from.lat, from.lon, to.lat, to.lon].join();
      const way = this.#ways.get(name) ?? wayBetween(this.#map, from, to);
      if (this.#ways.size < 10_000) this.#ways.set(name, way);
      this.#pulses.push({
        way,
        // A way that lights up does so at once.
        startMs: nowMs + (isOnward && !this.#isStill ? ONWARD_MS : 0),
        width: 1.6 + Math.min(2, Math.log2(1 + count) / 2),
      });
    }
    if (this.#pulses.length > 0) this.#frame ??= requestAnimationFrame(this.#draw);
  }

  stop(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
  }

  readonly #draw = (nowMs: number): void => {
    const { canvas } = this.#context;
    const scale = canvas.width / this.#map.width;
    this.#context.setTransform(scale, 0, 0, scale, 0, 0);
    this.#context.clearRect(0, 0, this.#map.width, this.#map.height);
    this.#context.strokeStyle = getComputedStyle(canvas).color;
    this.#context.lineCap = "round";
    this.#pulses = this.#pulses.filter(({ startMs }) => nowMs - startMs < TRAVEL_MS);
    for (const pulse of this.#pulses) {
      if (nowMs >= pulse.startMs) this.#drawPulse(pulse, (nowMs - pulse.startMs) / TRAVEL_MS);
    }
    this.#frame = this.#pulses.length > 0 ? requestAnimationFrame(this.#draw) : undefined;
  };

  #drawPulse({ way, width }: Pulse, part: number): void {
    const context = this.#context;
    context.lineWidth = width;
    if (this.#isStill) {
      context.globalAlpha = 0.45;
      this.#line(way, 0, 1);
      return;
    }
    const eased = 1 - (1 - Math.min(1, Math.max(0, part))) ** 1.6;
    const head = eased * (1 + TAIL);
    context.globalAlpha = 0.16 * (1 - part);
    this.#line(way, 0, Math.min(1, head));
    context.globalAlpha = 0.9;
    this.#line(way, Math.max(0, head - TAIL), Math.min(1, head));
  }

  /** Draws a part of a way, from 0 to 1. */
  #line({ points, isCut }: Way, from: number, to: number): void {
    const last = points.length - 1;
    const [first, end] = [Math.round(from * last), Math.round(to * last)];
    this.#context.beginPath();
    for (let index = first; index <= end; index += 1) {
      const [x, y] = points[index] ?? [0, 0];
      if (index === first || isCut(index)) this.#context.moveTo(x, y);
      else this.#context.lineTo(x, y);
    }
    this.#context.stroke();
  }
}
