/** Metrics as Prometheus reads them: its text format 0.0.4. */
import type { Histogram, Labels, MetricFamily, Metrics } from "./metrics.ts";

/** The content type of the text. */
export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** All numbers as text. */
export function metricsText(metrics: Metrics): string {
  return metrics.families().map(textOfFamily).join("");
}

function textOfFamily({ name, kind, help, samples }: MetricFamily): string {
  const lines = samples.flatMap(({ labels, value }) => {
    if (typeof value !== "function") return linesOfHistogram(name, labels, value);
    const now = value();
    return now === undefined ? [] : [lineOf(name, labels, now)];
  });
  const said = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return [`# HELP ${name} ${said}`, `# TYPE ${name} ${kind}`, ...lines, ""].join("\n");
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
