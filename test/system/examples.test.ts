/** Runs the examples with the commands of their README, except the Python node, which has a test of its own. */
import { existsSync } from "node:fs";

import { chromium } from "playwright-core";
import { expect, it, onTestFinished } from "vitest";
import { type BothPrograms, startBothPrograms, until } from "@meridian/harness";

import { startExample } from "../support/example.ts";

const CHROMIUM = "/usr/bin/chromium";

async function bothPrograms(...allowOrigin: readonly string[]): Promise<BothPrograms> {
  const programs = await startBothPrograms({ allowOrigin });
  onTestFinished(() => programs.stop());
  return programs;
}

it("a service caches slow results in the cluster, replaces one, and answers without the cluster", async () => {
  const { directory, region } = await bothPrograms();
  const url = await startExample("http-cache/server.ts", { DIRECTORY: directory });
  const report = `${url}/reports/lisbon`;
  const ask = async (): Promise<readonly unknown[]> => {
    const answer = await fetch(report);
    return [answer.headers.get("X-Cache"), await answer.json()];
  };

  expect(await ask()).toEqual(["miss", { city: "lisbon", temperature: 16 }]);
  expect(await ask()).toEqual(["hit", { city: "lisbon", temperature: 16 }]);
  const stored = await fetch(`${region}/cache/report:lisbon`);
  expect(await stored.json()).toEqual({ city: "lisbon", temperature: 16 });

  const correction = { method: "PUT", body: JSON.stringify({ temperature: 21 }) };
  expect((await fetch(report, correction)).status).toBe(204);
  expect(await ask()).toEqual(["hit", { city: "lisbon", temperature: 21 }]);
  expect((await fetch(report, { method: "DELETE" })).status).toBe(204);
  expect(await ask()).toEqual(["miss", { city: "lisbon", temperature: 16 }]);

  const lonely = await startExample("http-cache/server.ts", { DIRECTORY: "http://127.0.0.1:1" });
  const answer = await fetch(`${lonely}/reports/lisbon`);
  expect(await answer.json()).toEqual({ city: "lisbon", temperature: 16 });
});

it.skipIf(!existsSync(CHROMIUM))(
  `a page finds its region, sets, gets and deletes there (skipped without ${CHROMIUM})`,
  async () => {
    const url = await startExample("browser/server.ts");
    const { directory, region } = await bothPrograms(url);
    const args = ["--headless", "--no-sandbox", "--disable-gpu"];
    const browser = await chromium.launch({ executablePath: CHROMIUM, args });
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`${url}/?directory=${encodeURIComponent(directory)}`);

    const shows = (id: string, text: string): Promise<unknown> =>
      until(`the page shows ${text}`, async () => (await page.textContent(`#${id}`)) === text);
    await shows("region", "paris");
    await page.click("button[value=set]");
    await shows("answer", "greeting is set");
    expect(await (await fetch(`${region}/cache/greeting`)).json()).toBe("hello");
    await page.click("button[value=get]");
    await shows("answer", 'greeting is "hello"');
    await page.click("button[value=delete]");
    await shows("answer", "greeting is deleted");
    await page.click("button[value=get]");
    await shows("answer", "greeting has no value");
  },
);
