/** Pages of the console whose token expires while they are open. */
import { existsSync } from "node:fs";

import { systemClock, type Clock } from "@meridian/runtime";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { BROWSER_ARGS, buildConsole, CHROMIUM, watchedPage } from "../support/console-page.ts";
import { startTokenCluster, type TokenCluster } from "../support/token-cluster.ts";

const LIFE_MS = 120_000;
const KEY = "greeting";

/** What stands on each page: before its token has expired, and afterwards. `isWatching` for a page that hears of changes. */
const PAGES: readonly {
  readonly at: "directory" | "region";
  readonly place: string;
  readonly shown: string;
  readonly isWatching: boolean;
}[] = [
  { at: "directory", place: "map", shown: "#node-paris", isWatching: true },
  { at: "directory", place: "region", shown: ".chart canvas", isWatching: true },
  { at: "directory", place: `keys/entry/${KEY}`, shown: ".value pre", isWatching: true },
  { at: "directory", place: "keys", shown: ".keys a", isWatching: false },
  { at: "directory", place: "trouble", shown: ".complaint", isWatching: false },
  { at: "directory", place: "status", shown: ".facts td", isWatching: false },
  { at: "region", place: "region", shown: ".chart canvas", isWatching: true },
  { at: "region", place: `keys/entry/${KEY}`, shown: ".value pre", isWatching: true },
];

const hasBrowser = existsSync(CHROMIUM);
let aheadMs = 0;
const clock: Clock = {
  nowMs: () => systemClock.nowMs() + aheadMs,
  elapsedMs: () => systemClock.elapsedMs(),
  after: (delayMs, callback) => systemClock.after(delayMs, callback),
};
let browser: Browser;
let cluster: TokenCluster;

beforeAll(async () => {
  if (!hasBrowser) return;
  const built = buildConsole();
  cluster = await startTokenCluster(clock);
  browser = await chromium.launch({ executablePath: CHROMIUM, args: [...BROWSER_ARGS] });
  await built;
});
afterAll(async () => {
  await browser?.close();
});

const wishOf = () => ({ scope: "admin" as const, expiresAtMs: clock.nowMs() + LIFE_MS });

async function give(page: Page, token: string): Promise<void> {
  await page.fill("dialog[open] input", token);
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog[open]", { state: "hidden" });
}

/** Expects a page that says since when it is not live, and is live again with another token. */
async function expectRenewal(page: Page, token: string): Promise<void> {
  expect(await page.textContent(".live")).toMatch(/Needs a token since .*expired/);
  await page.getByRole("button", { name: "Enter a token" }).click();
  await give(page, token);
  await page.waitForSelector('.live[data-state="live"]');
}

describe.skipIf(!hasBrowser)(`a token that expires in ${CHROMIUM} (skipped without it)`, () => {
  it("is asked for anew on each page, which keeps what it shows and says since when that is not live", async () => {
    const token = await cluster.tokenOf(wishOf());
    const headers = { authorization: `Bearer ${token}` };
    const set = `${cluster.region}/cache/${KEY}`;
    await fetch(set, { method: "PUT", body: "<b>hello</b>", headers });
    const open = await Promise.all(
      PAGES.map(async (each) => {
        const url = cluster[each.at];
        const { page, faults } = await watchedPage(browser, url);
        await page.goto(`${url}/#/${each.place}`);
        await page.waitForSelector("dialog[open] [role=alert]");
        await give(page, token);
        await page.waitForSelector(each.shown);
        if (each.isWatching) await page.waitForSelector('.live[data-state="live"]');
        return { ...each, page, faults };
      }),
    );
    aheadMs += LIFE_MS + 60_000;
    const fresh = await cluster.tokenOf(wishOf());
    for (const { page, faults, place, shown, isWatching } of open) {
      if (isWatching) await page.waitForSelector('.live[data-state="refused"]');
      if (place === "status") await page.getByRole("button", { name: "Ask again" }).click();
      // A page of one region hears of the expiry by its stream, all others by that of the nodes.
      await page.waitForSelector("dialog[open] [role=alert]");
      expect(await page.textContent("dialog[open] [role=alert]")).toContain("expired");
      await page.keyboard.press("Escape");
      await page.waitForSelector("dialog[open]", { state: "hidden" });
      expect([place, await page.locator(shown).count()]).not.toEqual([place, 0]);
      if (isWatching) await expectRenewal(page, fresh);
      await page.close();
      expect([place, faults]).toEqual([place, []]);
    }
  });
});
