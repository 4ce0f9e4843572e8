/** Renders metrics for Prometheus, in its text format 0.0.4 or as OpenMetrics 1.0, which is nearly the same. */
import type { Histogram, Labels, MetricFamily, Metrics } from "./metrics.ts";

/** The formats that a program knows. */
export type MetricsFormat = "prometheus" | "openmetrics";

/** Their content types. */
export const METRICS_CONTENT_TYPES: Readonly<Record<MetricsFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** All numbers as text. */
export function metricsText(metrics: Metrics, format: MetricsFormat = "prometheus"): string {
  const isOpen = format === "openmetrics";
  const families = metrics.families().map((family) => textOfFamily(family, isOpen));
  return families.join("") + (isOpen ? "# EOF\n" : "");
}

function textOfFamily({ name, kind, help, samples }: MetricFamily, isOpen: boolean): string {
  const lines = samples.flatMap(({ labels, value }) => {
    if (typeof value !== "function") return linesOfHistogram(name, labels, value);
    const now = value();
    return now === undefined ? [] : [lineOf(name, labels, now)];
  });
  const said = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  // OpenMetrics names the family of a counter without `_total`.
  const family = isOpen && kind === "counter" ? name.replace(/_total$/, "") : name;
  return [`# HELP ${family} ${said}`, `# TYPE ${family} ${kind}`, ...lines, ""].join("\n");
}

function linesOfHistogram(name: string, labels: Labels, histogram: Histogram): string[] {
  let count = 0;
  const buckets = histogram.counts.map((inBucket, index) => {
    count += inBucket;
    const le = numberText(histogram.bounds[index] ?? Infinity);
    return lineOf(`${name}_bucket`, { ...labels, le }, count);
  });
  const sum = lineOf(`${name}_sum`, labels, histogram.sum);
  return [...buckets, sum, lineOf(`${name}_count`, labels, count)];
}

function lineOf(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  const named = pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`;
  return `${named} ${numberText(value)}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

function numberText(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}
