/** One small chart, with the numbers under the pointer or else the last ones beside its title. */
import { useEffect, useRef, useState } from "preact/hooks";
import UPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { useStore } from "../../store.ts";
import { theme } from "../../shell/theme.ts";
import { amountText } from "./amounts.ts";
import type { Chart } from "./charts.ts";

const HEIGHT = 118;

/** The variables of the theme that lines are drawn in. */
const COLOURS = ["--accent", "--full", "--standalone", "--ready", "--syncing"] as const;

/** Draws a chart. The text of the figure says the same. */
export function LineChart({
  chart,
  atMs,
}: {
  readonly chart: Chart;
  readonly atMs: readonly number[];
}) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | undefined>(undefined);
  const [pointed, setPointed] = useState<number>();
  const drawnTheme = useStore(theme);
  const { title, unit, lines } = chart;
  useEffect(() => {
    const into = frame.current;
    if (into === null) return;
    const made = new UPlot(optionsOf(chart, into, setPointed), dataOf(chart, atMs), into);
    plot.current = made;
    const observer = new ResizeObserver(() => {
      made.setSize({ width: into.clientWidth, height: HEIGHT });
    });
    observer.observe(into);
    return () => {
      observer.disconnect();
      made.destroy();
    };
    // The data is set below; the chart is made anew for another theme, or other lines.
  }, [drawnTheme, title, lines.length]);
  useEffect(() => plot.current?.setData(dataOf(chart, atMs)), [chart, atMs]);
  const at = pointed !== undefined && pointed < atMs.length ? pointed : atMs.length - 1;
  const when = atMs[at];
  return (
    <figure class="card chart">
      <figcaption>
        <h2>
          {title}
          {pointed !== undefined && when !== undefined && (
            <span class="hint"> {new Date(when).toLocaleTimeString()}</span>
          )}
        </h2>
        <ul class="readings">
          {lines.map(({ label, numbers }, index) => (
            <li key={label} class={`line-${index}`}>
              <span class="swatch" aria-hidden="true" />
              <span class="hint">{label}</span>{" "}
              <strong>{amountText(numbers[at] ?? null, unit)}</strong>
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={frame} class="plot" aria-hidden="true" />
    </figure>
  );
}

function dataOf({ lines }: Chart, atMs: readonly number[]): UPlot.AlignedData {
  return [atMs.map((ms) => ms / 1_000), ...lines.map(({ numbers }) => [...numbers])];
}

function optionsOf(
  { lines, unit }: Chart,
  into: HTMLElement,
  onPointed: (index: number | undefined) => void,
): UPlot.Options {
  const style = getComputedStyle(into);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--muted"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    font: `11px ${style.fontFamily}`,
  };
  return {
    width: into.clientWidth,
    height: HEIGHT,
    padding: [6, 16, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: "history" },
      points: { size: 7 },
      drag: { x: false, y: false, setScale: false },
    },
    hooks: { setCursor: [({ cursor }) => onPointed(cursor.idx ?? undefined)] },
    scales: { x: { range: spanOf }, y: { range: rangeFor(unit) } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 22,
        space: 70,
        values: timesOf,
      },
      {
        ...axis,
        size: 58,
        space: 34,
        values: (_, all) => all.map((value) => amountText(value, unit)),
      },
    ],
    series: [
      {},
      ...lines.map((_, index) => {
        const stroke = colour(COLOURS[index % COLOURS.length] ?? "--accent");
        const fill = lines.length === 1 ? `color-mix(in srgb, ${stroke} 14%, transparent)` : "";
        return { stroke, width: 1.6, points: { show: false }, ...(fill !== "" && { fill }) };
      }),
    ],
  };
}

/** Rates and amounts begin at nothing: a chart that begins elsewhere makes a storm of a breeze. */
function rangeFor(unit: Chart["unit"]): UPlot.Range.Function {
  return (_, lowest, highest) => {
    if (unit === "percent") return [0, 100];
    const most = Math.max(highest ?? 0, unit === "ms" ? 1 : 0, 0.1);
    return [Math.min(0, lowest ?? 0), most * 1.1];
  };
}

/** A minute at least, so that the first points are not one. */
function spanOf(_: UPlot, first: number, last: number): UPlot.Range.MinMax {
  return [Math.min(first, last - 60), last];
}

/** The times of an axis; to the second where it spans minutes. */
function timesOf(_: UPlot, all: readonly number[]): string[] {
  const isShort = (all.at(-1) ?? 0) - (all[0] ?? 0) < 300;
  return all.map((seconds) =>
    new Date(seconds * 1_000).toLocaleTimeString("en-GB", {
      hour: "2-digit",
      minute: "2-digit",
      ...(isShort && { second: "2-digit" }),
    }),
  );
}
