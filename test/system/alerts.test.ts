/** Tests the alert rules with Prometheus' own `promtool`: each fires in one case and not in another. And checks the exported metrics with its parser. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { request, ROOT, startBothPrograms } from "@meridian/harness";
import { expect, it } from "vitest";

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
