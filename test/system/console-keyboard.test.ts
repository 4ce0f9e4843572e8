/** Every page of the console by keyboard alone, and as axe-core sees it, by day and by night. */
import { until } from "@meridian/harness";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";

import { CHROMIUM, seriousFaults } from "../support/console-page.ts";
import { ConsoleWorld, HAS_BROWSER, shows } from "../support/console-world.ts";

const world = new ConsoleWorld();
const KEY = "keyboard";

/** What stands on a page once it is whole. */
const PAGES: readonly (readonly [at: "playground" | "region", place: string, whole: string])[] = [
  ["playground", "map", "#node-rome"],
  ["playground", "region", ".queues li"],
  ["playground", "keys", ".keys a"],
  ["playground", `keys/entry/${KEY}`, ".value pre"],
  ["playground", "trouble", ".complaint"],
  ["playground", "try", "[data-testid=drill] select"],
  ["playground", "status", ".facts td"],
  ["playground", "api", "iframe"],
  ["region", "region", ".queues li"],
  ["region", "map", "#node-rome"],
  ["region", "keys", ".keys a"],
  ["region", "trouble", ".well"],
  ["region", "status", ".facts td"],
];

/**
 * Marks what one can do something with: what is seen and takes the focus. Resolves to how much that is. Of the marks on the map, one takes the
 * focus by Tab, and arrow keys go from there to the others.
 */
const MARK_ALL = `(() => {
  const selector = "a[href], button, input, select, textarea, summary, iframe, [tabindex]";
  const all = [...document.querySelectorAll(selector)].filter((element) =>
    element.tabIndex >= 0 && !element.disabled && element.checkVisibility() && element.closest("dialog:not([open])") === null);
  all.forEach((element, index) => element.setAttribute("data-stop", index));
  return all.length;
})()`;

/** Which of these has the focus, and whether one sees that; -1 for none of them. */
const FOCUSED = `(() => {
  const { activeElement: element } = document;
  const index = Number(element.getAttribute("data-stop") ?? -1);
  return { index, isSeen: index < 0 || element.tagName === "IFRAME" || element.matches(":focus-visible") };
})()`;

/** Presses Tab until everything has had the focus, but not for ever. Resolves to what has not, as HTML. */
async function leftOut(page: Page): Promise<readonly string[]> {
  const count = await page.evaluate<number>(MARK_ALL);
  const reached = new Set<number>();
  for (let tabs = 0; reached.size < count && tabs < 2 * count + 10; tabs += 1) {
    await page.keyboard.press("Tab");
    const { index, isSeen } = await page.evaluate<{ index: number; isSeen: boolean }>(FOCUSED);
    expect([index, isSeen]).toEqual([index, true]);
    if (index >= 0) reached.add(index);
  }
  const missed = Array.from({ length: count }, (_, index) => index).filter(
    (index) => !reached.has(index),
  );
  return page.evaluate(`${JSON.stringify(missed)}.flatMap((index) => {
    const element = document.querySelector('[data-stop="' + index + '"]');
    return element === null ? [] : [element.outerHTML.slice(0, 200)];
  })`);
}

describe.skipIf(!HAS_BROWSER)(`every page in ${CHROMIUM} (skipped without it)`, () => {
  it.each(PAGES)(
    "of the %s at %s is reached whole by Tab, where one sees the focus, and has nothing that axe-core calls serious",
    async (at, place, whole) => {
      await world.set(0, KEY, "value");
      const url = at === "region" ? world.region(0).url : world.playgroundUrl;
      const page = await world.open(place, { colorScheme: "light" }, url);
      await page.waitForSelector(whole);
      expect(await leftOut(page)).toEqual([]);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect([colorScheme, await seriousFaults(page)]).toEqual([colorScheme, []]);
      }
    },
  );

  it("of a playground is used by keyboard: a link is cut and healed, and a value set", async () => {
    const page = await world.open("try", {}, world.playgroundUrl);
    const side = page.locator('[data-region="rome"]');
    await side.getByLabel("Value", { exact: true }).focus();
    await page.keyboard.type("typed");
    await page.keyboard.press("Enter");
    await shows(page, '[data-region="oslo"] [data-testid=held]', "typed");
    await side.getByRole("button", { name: "Cut its link" }).press("Enter");
    await shows(page, '[data-region="rome"] .try-link', "Cut off.");
    await side.getByRole("button", { name: "Heal its link" }).press("Space");
    await shows(page, '[data-region="rome"] .try-link', "Linked to its directory.");
    await until("rome is at its directory again", () => world.region(1).status === "ready");
    expect(await page.locator('[data-region="oslo"] .is-cut').count()).toBe(0);
  });

  it("of regions is used by keyboard: another region is chosen, and all numbers are shown", async () => {
    const page = await world.open("region/oslo");
    await page.waitForSelector(".queues li");
    await page.locator(".choice select").focus();
    await page.keyboard.press("ArrowDown");
    await shows(page, "h1", "rome");
    await page.getByRole("button", { name: /^Show all/ }).press("Enter");
    await page.getByRole("button", { name: "Show the fullest" }).waitFor();
    await page.locator("summary").press("Space");
    await shows(page, ".numbers th", "Lag: behind");
    expect(page.url()).toContain("#/region/rome");
  });
});
