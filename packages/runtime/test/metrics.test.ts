import { describe, expect, it } from "vitest";

import { Metrics, metricsText } from "@meridian/runtime";

describe("metrics", () => {
  it.each(["reads", "meridianReads_total", "1_total", "reads__total", "_total", "reads-total", ""])(
    "a counter is not named %j",
    (name) => {
      expect(() => new Metrics().counter(name, "Keys.")).toThrow("with its unit");
    },
  );

  it("a histogram says its unit, and a name has one kind, one sentence, and each set of labels once", () => {
    const metrics = new Metrics();
    expect(() => metrics.histogram("write_time", "Waits.", [1])).toThrow("with its unit");
    metrics.counter("a_total", "A.", { x: "1" });
    metrics.counter("a_total", "A.", { x: "2" });
    expect(() => metrics.counter("a_total", "A.", { x: "1" })).toThrow("registered once");
    expect(() => metrics.counter("a_total", "B.", { x: "3" })).toThrow("registered once");
    expect(() => metrics.gauge("a_total", "A.", () => 1, { x: "3" })).toThrow("registered once");
  });

  it("levels are those of all parts, as they are now", () => {
    const metrics = new Metrics();
    let now = 1;
    metrics.level(() => [{ name: "a", now, max: 5 }]);
    metrics.level(() => [{ name: "b", now: 2, max: 5 }]);
    now = 3;
    expect(metrics.levels().map((level) => [level.name, level.now])).toEqual([
      ["a", 3],
      ["b", 2],
    ]);
  });
});

it("metrics are OpenMetrics where that is asked for, and may come and go", () => {
  const metrics = new Metrics();
  const nodes = new Map([["paris", 3]]);
  metrics.counter("meridian_reads_total", "Keys read.").add(2);
  metrics.gauges("meridian_node_lag_seconds", "Lag.", function* () {
    for (const [node, lag] of nodes) yield [{ node }, lag] as const;
  });
  const head = `# HELP meridian_reads Keys read.
# TYPE meridian_reads counter
meridian_reads_total 2
# HELP meridian_node_lag_seconds Lag.
# TYPE meridian_node_lag_seconds gauge
`;
  const line = 'meridian_node_lag_seconds{node="paris"} 3\n';
  expect(metricsText(metrics, "openmetrics")).toBe(`${head}${line}# EOF\n`);
  nodes.clear();
  expect(metricsText(metrics, "openmetrics")).toBe(`${head}# EOF\n`);
});

it("metrics are rendered as Prometheus reads them", () => {
  const metrics = new Metrics();
  const memory = metrics.counter("meridian_reads_total", "Keys read.", { from: "memory" });
  const store = metrics.counter("meridian_reads_total", "Keys read.", { from: "store" });
  metrics.gauge("meridian_lag_seconds", "How far behind.", () => 0.25);
  metrics.gauge("meridian_entries", "Nobody knows.", () => undefined);
  metrics.gauge("odd_text", "A\\b\nc", () => Infinity, { text: 'say "\\n"\n' });
  const waits = metrics.histogram("meridian_write_seconds", "Waits.", [0.5, 1]);
  metrics.level(() => [{ name: "httpAnswerBytes", now: 7, max: 9 }]);
  memory.add();
  memory.add(2);
  store.add();
  for (const value of [0.5, 0.25, 0.75, 4]) waits.observe(value);
  expect(metricsText(metrics)).toBe(
    `# HELP meridian_reads_total Keys read.
# TYPE meridian_reads_total counter
meridian_reads_total{from="memory"} 3
meridian_reads_total{from="store"} 1
# HELP meridian_lag_seconds How far behind.
# TYPE meridian_lag_seconds gauge
meridian_lag_seconds 0.25
# HELP meridian_entries Nobody knows.
# TYPE meridian_entries gauge
# HELP odd_text A\\\\b\\nc
# TYPE odd_text gauge
odd_text{text="say \\"\\\\n\\"\\n"} +Inf
# HELP meridian_write_seconds Waits.
# TYPE meridian_write_seconds histogram
meridian_write_seconds_bucket{le="0.5"} 2
meridian_write_seconds_bucket{le="1"} 3
meridian_write_seconds_bucket{le="+Inf"} 4
meridian_write_seconds_sum 5.5
meridian_write_seconds_count 4
# HELP meridian_http_answer_bytes The gauge httpAnswerBytes of /status.
# TYPE meridian_http_answer_bytes gauge
meridian_http_answer_bytes 7
# HELP meridian_http_answer_bytes_max The bound of the gauge httpAnswerBytes of /status.
# TYPE meridian_http_answer_bytes_max gauge
meridian_http_answer_bytes_max 9
# HELP meridian_fill_ratio How full the gauges of /status are; beyond 1, what comes is refused or waits.
# TYPE meridian_fill_ratio gauge
meridian_fill_ratio{of="httpAnswerBytes"} 0.7777777777777778
`,
  );
});
