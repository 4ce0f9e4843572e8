/** Tests the alert rules with Prometheus' own `promtool`: each fires in one case and not in another. And checks the exported metrics with strict parsers of both formats. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { request, ROOT, startBothPrograms } from "@meridian/harness";
import { expect, it } from "vitest";

/** Debian's, which finds the packages of Debian. */
const PYTHON = "/usr/bin/python3";
const READ_OPEN_METRICS = `
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    print(family.type, family.name, len(family.samples))
`;
const HAS_PARSER =
  spawnSync(PYTHON, ["-c", "import prometheus_client.openmetrics.parser"]).status === 0;
const HAS_PROMTOOL = spawnSync("promtool", ["--version"]).status === 0;

interface Verdict {
  readonly status: number | null;
  readonly said: string;
}

function promtool(argv: readonly string[], input = ""): Verdict {
  const cwd = join(ROOT, "packages/supervision/monitoring");
  const { status, stdout, stderr } = spawnSync("promtool", argv, { cwd, input, encoding: "utf8" });
  return { status, said: stdout + stderr };
}

it.skipIf(!HAS_PROMTOOL)("every alert fires in its case and in no other (needs promtool)", () => {
  expect(promtool(["check", "rules", "--lint-fatal", "alerts.yml"])).toMatchObject({ status: 0 });
  expect(promtool(["test", "rules", "alerts.test.yml"])).toMatchObject({
    status: 0,
    said: expect.stringContaining("SUCCESS"),
  });
});

it.skipIf(!HAS_PROMTOOL)(
  "promtool accepts the metrics of both programs (needs promtool)",
  async () => {
    const both = await startBothPrograms();
    for (const url of [both.region, both.directory]) {
      await request(`${url}/status`);
      const text = await (await request(`${url}/metrics`)).text();
      expect(text).toContain("meridian_http_request_seconds_bucket");
      expect(promtool(["check", "metrics"], text)).toEqual({ status: 0, said: "" });
    }
    await both.stop();
  },
);

it.skipIf(!HAS_PARSER)(
  "a strict parser of OpenMetrics accepts the metrics of both programs (needs python3-prometheus-client)",
  async () => {
    const both = await startBothPrograms();
    for (const url of [both.region, both.directory]) {
      // Counters and histograms of answers that succeed and of others, and names that have to be escaped.
      for (const path of ["/status", '/cache/none"\\', "/nodes", "/no-such-route"]) {
        await (await request(url + path)).text();
      }
      const headers = { accept: "application/openmetrics-text; version=1.0.0" };
      const response = await request(`${url}/metrics`, { headers });
      expect(response.headers.get("content-type")).toContain("application/openmetrics-text");
      const text = await response.text();
      const read = (input: string) =>
        spawnSync(PYTHON, ["-c", READ_OPEN_METRICS], { input, encoding: "utf8" });
      const { status, stdout, stderr } = read(text);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).toMatch(/^histogram meridian_http_request_seconds \d+$/m);
      const families = text.match(/^# TYPE /gm)?.length;
      expect(stdout.trim().split("\n")).toHaveLength(families ?? 0);
      // The parser is strict: it takes neither what is cut short nor counters that are named otherwise.
      expect(read(text.replace("# EOF\n", "")).status).not.toBe(0);
      expect(read(text.replaceAll("_total{", "{")).status).not.toBe(0);
    }
    await both.stop();
  },
);
