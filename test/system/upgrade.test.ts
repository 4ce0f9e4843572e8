/** A short rolling upgrade from the newest kept release, and back; `npm run hunt:upgrade` runs one under more load. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, it, onTestFinished } from "vitest";

import { Secrets } from "../support/secrets.ts";
import { newestRelease, programsOfToday, unpackRelease } from "../upgrade/kept-release.ts";
import { upgrade } from "../upgrade/rolling-upgrade.ts";

/** Upgrades a small cluster from the newest kept release, and back. */
async function expectUpgrade(secrets?: Secrets): Promise<void> {
  const { remove, ...before } = unpackRelease(newestRelease() ?? "");
  onTestFinished(remove);
  const after = await programsOfToday();
  const steps: string[] = [];
  const tell = (line: string): void => void steps.push(line);
  const report = await upgrade({ before, after, rate: 20, regions: 3, secrets, tell });
  expect(report.failures).toEqual([]);
  expect(steps).toHaveLength(10);
  expect(report.acknowledged).toBeGreaterThan(0);
  expect(report.sdkRequests).toBeGreaterThan(0);
}

it("a cluster goes from the newest kept release to today's programs and back, and loses nothing", async () => {
  await expectUpgrade();
}, 300_000);

it("a cluster with TLS and tokens goes from the newest kept release to today's programs and back, and loses nothing", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meridian-upgrade-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const secrets = await Secrets.make(join(folder, "secrets"));
  onTestFinished(() => secrets.close());
  await expectUpgrade(secrets);
}, 300_000);
