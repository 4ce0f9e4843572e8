/**
 * How the numbers of a program went: so many points of each, at even distances, in arrays of fixed size. A counter is kept as what it grew by
 * a second. What is not known at a moment, or has not happened yet, is NaN.
 */
import type { Clock } from "./clock.ts";
import type { Labels, Metrics } from "./metrics.ts";

/** One number of a history, and where it is read. */
export interface HistoryLine {
  /** camelCase, with its unit at the end, or `PerSecond`. */
  readonly name: string;
  /** `rate` for a number that only grows. */
  readonly kind: "level" | "rate";
  readonly read: (metrics: Metrics) => number | undefined;
}

/** The numbers of one moment, in the order of the lines. */
export interface HistoryPoint {
  /** In milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly values: readonly number[];
}

/** How a history is kept. */
export interface HistoryOptions {
  readonly lines: readonly HistoryLine[];
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Default: a point every 10 s, for an hour. */
  readonly everyMs?: number;
  readonly pointsMax?: number;
}

/** A metric as it is: the sum of its numbers that have these labels. */
export function levelOf(name: string, metric: string, labels: Labels = {}, times = 1): HistoryLine {
  const read = (metrics: Metrics): number | undefined => {
    const sum = metrics.sumOf(metric, labels);
    return sum === undefined ? undefined : sum * times;
  };
  return { name, kind: "level", read };
}

/** What a counter grows by a second, or how often a second a histogram observes something. */
export function rateOf(name: string, metric: string, labels: Labels = {}): HistoryLine {
  return { name, kind: "rate", read: (metrics) => metrics.sumOf(metric, labels) };
}

/** How full a bounded queue or resource is. */
export function fillOf(name: string): HistoryLine {
  const read = (metrics: Metrics): number | undefined =>
    metrics.levels().find((each) => each.name === name)?.now;
  return { name, kind: "level", read };
}

/** Keeps the last points. */
export class History {
  readonly everyMs: number;
  readonly #options: HistoryOptions;
  readonly #pointsMax: number;
  /** The values of each line, and when they were read; point `n` stands at index `n % pointsMax`. */
  readonly #values: readonly Float64Array[];
  readonly #elapsedMs: Float64Array;
  /** What each counter was at the last point. */
  readonly #before: Float64Array;
  #points = 0;
  #cancel: () => void = () => {};
  #onPoint: (point: HistoryPoint) => void = () => {};

  constructor(options: HistoryOptions) {
    const { lines, everyMs = 10_000, pointsMax = 360 } = options;
    this.#options = options;
    this.everyMs = everyMs;
    this.#pointsMax = pointsMax;
    this.#values = lines.map(() => new Float64Array(pointsMax));
    this.#elapsedMs = new Float64Array(pointsMax);
    this.#before = new Float64Array(lines.length).fill(NaN);
  }

  /** The names of the lines. */
  get names(): readonly string[] {
    return this.#options.lines.map(({ name }) => name);
  }

  /** Begins to take points; `onPoint` is told of each, and must not throw. */
  start(onPoint: (point: HistoryPoint) => void = () => {}): void {
    this.#onPoint = onPoint;
    this.#take();
    this.#takeLater();
  }

  stop(): void {
    this.#cancel();
  }

  /** All points, the oldest first. Their times are told by the clock as it is now, whatever it was then. */
  points(): readonly HistoryPoint[] {
    const first = Math.max(0, this.#points - this.#pointsMax);
    return Array.from({ length: this.#points - first }, (_, index) => this.#pointAt(first + index));
  }

  #takeLater(): void {
    this.#cancel = this.#options.clock.after(this.everyMs, () => {
      this.#takeLater();
      this.#take();
      this.#onPoint(this.#pointAt(this.#points - 1));
    });
  }

  #take(): void {
    const { lines, clock } = this.#options;
    const at = this.#points % this.#pointsMax;
    const elapsedMs = clock.elapsedMs();
    const last = this.#elapsedMs[(this.#points - 1) % this.#pointsMax] ?? NaN;
    const seconds = (elapsedMs - last) / 1_000;
    for (const [index, line] of lines.entries()) {
      const now = this.#read(line);
      const before = this.#before[index] ?? NaN;
      this.#before[index] = now;
      const values = this.#values[index];
      // A counter that has gone back counts anew.
      const grown = now < before ? now : now - before;
      if (values !== undefined) values[at] = line.kind === "level" ? now : grown / seconds;
    }
    this.#elapsedMs[at] = elapsedMs;
    this.#points += 1;
  }

  #read({ read }: HistoryLine): number {
    try {
      return read(this.#options.metrics) ?? NaN;
    } catch {
      // What cannot be read just now is not known.
      return NaN;
    }
  }

  #pointAt(point: number): HistoryPoint {
    const { clock } = this.#options;
    const at = point % this.#pointsMax;
    const agoMs = clock.elapsedMs() - (this.#elapsedMs[at] ?? NaN);
    const values = this.#values.map((line) => line[at] ?? NaN);
    return { atMs: Math.round(clock.nowMs() - agoMs), values };
  }
}
