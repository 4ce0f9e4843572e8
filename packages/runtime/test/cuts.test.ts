import { Cuts, Metrics, metricsText } from "@meridian/runtime";
import { expect, it } from "vitest";

import { ManualClock } from "./manual-clock.ts";

it("counts each by its reason, and tells of the first at once and of the others every ten seconds", () => {
  const clock = new ManualClock();
  const metrics = new Metrics();
  const lines: unknown[] = [];
  const warn = (message: string, fields: object = {}): void => void lines.push([message, fields]);
  const logger = { debug: warn, info: warn, warn, error: warn };
  const cuts = new Cuts({
    clock,
    logger,
    metrics,
    name: "meridian_cuts_total",
    help: "What was cut.",
    said: "cut",
    reasons: ["idle", "slow"],
  });
  for (let index = 0; index < 1_000; index += 1) cuts.tell("slow", { bytes: index });
  cuts.tell("idle");
  expect(lines).toEqual([
    ["cut", { reason: "slow", bytes: 0 }],
    ["cut", { reason: "idle" }],
  ]);
  clock.advance(10_000);
  expect(lines.slice(2)).toEqual([["cut", { reason: "slow", times: 999, withinMs: 10_000 }]]);
  cuts.tell("idle");
  cuts.tell("slow");
  clock.advance(60_000);
  cuts.tell("slow");
  cuts.count("slow");
  expect(lines.slice(3)).toEqual([
    ["cut", { reason: "idle" }],
    ["cut", { reason: "slow", times: 1, withinMs: 10_000 }],
    ["cut", { reason: "slow" }],
  ]);
  const text = metricsText(metrics);
  expect(text).toContain('meridian_cuts_total{reason="slow"} 1003');
  expect(text).toContain('meridian_cuts_total{reason="idle"} 2');
});
