/** A short rolling upgrade from the newest kept release, and back; `npm run hunt:upgrade` runs one under more load. */
import { expect, it, onTestFinished } from "vitest";

import { newestRelease, programsOfToday, unpackRelease } from "../upgrade/kept-release.ts";
import { upgrade } from "../upgrade/rolling-upgrade.ts";

it("a cluster goes from the newest kept release to today's programs and back, and loses nothing", async () => {
  const { remove, ...before } = unpackRelease(newestRelease() ?? "");
  onTestFinished(remove);
  const after = await programsOfToday();
  const steps: string[] = [];
  const tell = (line: string): void => void steps.push(line);
  const report = await upgrade({ before, after, rate: 20, regions: 3, tell });
  expect(report.failures).toEqual([]);
  expect(steps).toHaveLength(10);
  expect(report.acknowledged).toBeGreaterThan(0);
  expect(report.sdkRequests).toBeGreaterThan(0);
}, 300_000);
