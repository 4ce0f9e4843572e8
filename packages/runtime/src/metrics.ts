/**
 * The metrics of a program. Each part registers its own metrics; `/status` and `/metrics` are two renderings of them.
 *
 * Names follow Prometheus: those of counters end in `_total`, those of measurements in their unit, `_seconds` or `_bytes`.
 */
import type { Gauge } from "./gauge.ts";

/** The labels that tell the numbers of one metric apart. */
export type Labels = Readonly<Record<string, string>>;

/** A number that only grows. */
export class Counter {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  add(amount: number = 1): void {
    this.#value += amount;
  }
}

/** Counts values by buckets. */
export class Histogram {
  /** The inclusive upper bounds of the buckets, ascending; one more bucket without a bound follows. */
  readonly bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  /** How many values fell into each bucket; the last one is that without a bound. */
  get counts(): readonly number[] {
    return this.#counts;
  }

  get sum(): number {
    return this.#sum;
  }

  observe(value: number): void {
    this.#sum += value;
    let bucket = 0;
    while (bucket < this.bounds.length && value > (this.bounds[bucket] ?? Infinity)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
  }
}

/** Bucket bounds for durations of disk and network operations, in seconds. */
export const WAIT_SECONDS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** One number of a metric, or one histogram, with its labels. */
export interface Sample {
  readonly labels: Labels;
  /** A histogram, or a function that returns the number now; undefined if it is unknown. */
  readonly value: Histogram | (() => number | undefined);
}

/** All numbers of one metric. */
export interface MetricFamily {
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  /** What the metric means, as one sentence. */
  readonly help: string;
  readonly samples: readonly Sample[];
}

const ENDINGS = { counter: /_total$/, gauge: /[a-z\d]$/, histogram: /_(seconds|bytes)$/ } as const;

/** The registered metrics of a program. */
export class Metrics {
  readonly #families = new Map<string, MetricFamily & { readonly samples: Sample[] }>();
  readonly #levels: (() => readonly Gauge[])[] = [];
  readonly #changing: (() => MetricFamily)[] = [];

  /** Registers a counter that begins at 0, and returns it. */
  counter(name: string, help: string, labels: Labels = {}): Counter {
    const counter = new Counter();
    this.counted(name, help, () => counter.value, labels);
    return counter;
  }

  /** Registers a counter whose number `read` returns. */
  counted(name: string, help: string, read: () => number | undefined, labels: Labels = {}): void {
    this.#add("counter", name, help, { labels, value: read });
  }

  /** Registers a gauge whose present number `read` returns. */
  gauge(name: string, help: string, read: () => number | undefined, labels: Labels = {}): void {
    this.#add("gauge", name, help, { labels, value: read });
  }

  /** Registers the gauges of things that come and go, such as nodes: `read` returns the labels and the number of each. */
  gauges(
    name: string,
    help: string,
    read: () => Iterable<readonly [labels: Labels, value: number]>,
  ): void {
    this.#checkName("gauge", name);
    this.#changing.push(() => {
      const samples = Array.from(read(), ([labels, value]) => ({ labels, value: () => value }));
      return { name, kind: "gauge", help, samples };
    });
  }

  /** Registers a histogram with these upper bounds, and returns it. */
  histogram(name: string, help: string, bounds: readonly number[], labels: Labels = {}): Histogram {
    const histogram = new Histogram(bounds);
    this.#add("histogram", name, help, { labels, value: histogram });
    return histogram;
  }

  /** Registers bounded queues or resources: `read` returns how full each is. */
  level(read: () => readonly Gauge[]): void {
    this.#levels.push(read);
  }

  /** How full each registered queue or resource is. */
  levels(): readonly Gauge[] {
    return this.#levels.flatMap((read) => read());
  }

  /** The sum of a metric's numbers that have all of these labels, or of how much its histograms have observed; undefined where none is known. */
  sumOf(name: string, labels: Labels = {}): number | undefined {
    const wanted = Object.entries(labels);
    let sum: number | undefined;
    for (const sample of this.#families.get(name)?.samples ?? []) {
      if (!wanted.every(([label, value]) => sample.labels[label] === value)) continue;
      const number = numberOf(sample);
      if (number !== undefined) sum = (sum ?? 0) + number;
    }
    return sum;
  }

  /** All metrics in the order of registration, and then the bounded queues and resources. */
  families(): readonly MetricFamily[] {
    const levels = this.levels();
    return [
      ...this.#families.values(),
      ...this.#changing.map((read) => read()),
      ...levels.flatMap(familiesOfLevel),
      ...fillOf(levels),
    ];
  }

  #checkName(kind: MetricFamily["kind"], name: string): void {
    if (!/^[a-z][a-z\d]*(_[a-z\d]+)*$/.test(name) || !ENDINGS[kind].test(name)) {
      throw new Error(`Expected a name for a ${kind} with its unit, got \`${name}\``);
    }
  }

  #add(kind: MetricFamily["kind"], name: string, help: string, sample: Sample): void {
    this.#checkName(kind, name);
    const family = this.#families.get(name) ?? { name, kind, help, samples: [] };
    const key = JSON.stringify(sample.labels);
    const isTaken = family.samples.some(({ labels }) => JSON.stringify(labels) === key);
    if (isTaken || family.kind !== kind || family.help !== help) {
      throw new Error(`Expected \`${name}\` to be registered once with the labels ${key}`);
    }
    family.samples.push(sample);
    this.#families.set(name, family);
  }
}

function numberOf({ value }: Sample): number | undefined {
  if (typeof value === "function") return value();
  return value.counts.reduce((sum, count) => sum + count, 0);
}

function familiesOfLevel({ name, now, max }: Gauge): MetricFamily[] {
  const snake = `meridian_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
  const of = (family: string, help: string, value: number): MetricFamily => ({
    name: family,
    kind: "gauge",
    help,
    samples: [{ labels: {}, value: () => value }],
  });
  return [
    of(snake, `The gauge ${name} of /status.`, now),
    of(`${snake}_max`, `The bound of the gauge ${name} of /status.`, max),
  ];
}

/** All queues and resources under one name, so that one alert rule can watch all of them. */
function fillOf(levels: readonly Gauge[]): MetricFamily[] {
  if (levels.length === 0) return [];
  const samples = levels.map(({ name, now, max }) => ({
    labels: { of: name },
    value: () => now / max,
  }));
  const help = "How full the gauges of /status are; beyond 1, what comes is refused or waits.";
  return [{ name: "meridian_fill_ratio", kind: "gauge", help, samples }];
}
