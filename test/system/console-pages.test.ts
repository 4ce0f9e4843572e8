/** The pages of regions, keys and troubles in a browser, against a directory and two regions of this process. */
import { until } from "@meridian/harness";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";

import { CHROMIUM } from "../support/console-page.ts";
import { ConsoleWorld, expectSound, HAS_BROWSER, shows } from "../support/console-world.ts";

const MEBIBYTE = 1024 * 1024;
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const EVIL = '<img src=x onerror="alert(1)">\u202Egnp';

const world = new ConsoleWorld();
const regionUrl = (): string => world.region(0).url;

const entryOf = (key: string): string => `keys/entry/${encodeURIComponent(key)}`;

/** Waits until an expression of the page is true. The page's policy keeps others from evaluating texts in it. */
async function holds(page: Page, expression: string): Promise<void> {
  await until(expression, () => page.evaluate<boolean>(expression));
}

describe.skipIf(!HAS_BROWSER)(`the page of a region in ${CHROMIUM} (skipped without it)`, () => {
  it("shows the last hour of each number live, in charts and as text, and how full queues are", async () => {
    const page = await world.open("region/oslo");
    await page.waitForSelector('.live[data-state="live"]');
    await shows(page, ".chart", "Hits");
    expect(await page.locator(".chart canvas").count()).toBe(12);
    await shows(page, ".queues li", " of ");
    await page.locator(".numbers summary").press("Enter");
    await shows(page, ".numbers th", "Lag: behind");
    await expectSound(page);
    await page.locator(".choice select").selectOption("directory itself");
    await shows(page, ".chart", "durable");
    expect(page.url()).toContain("#/region/directory%20itself");
  });

  it("shows a region its own page at night and on a narrow screen", async () => {
    const page = await world.open("region", { width: 360, colorScheme: "dark" }, regionUrl());
    await shows(page, "h1", "oslo");
    await shows(page, ".chart", "Event loop");
    await expectSound(page);
  });
});

describe.skipIf(!HAS_BROWSER)("the map of a region's page", () => {
  it("shows the region first, and the cluster as its directory tells it, live", async () => {
    const page = await world.open("", { width: 360 }, regionUrl());
    await shows(page, "h1", "oslo");
    await page.getByRole("link", { name: "Map", exact: true }).press("Enter");
    await page.waitForSelector('.live[data-state="live"]');
    await page.waitForSelector("#node-rome");
    await shows(page, "[data-testid=node] h2", "oslo");
    await shows(page, "main .hint", "As the directory of oslo tells it.");
    await world.set(1, "passing", "by");
    await shows(page, "[data-testid=traffic]", "frame from rome to 1 node");
    await page.getByLabel("Latitude").fill("41.9");
    await page.getByLabel("Longitude").fill("12.5");
    await page.getByRole("button", { name: "Find the nearest" }).press("Enter");
    await page.waitForSelector("[data-testid=nearest] li");
    await expectSound(page);
  });
});

describe.skipIf(!HAS_BROWSER)("the page of keys", () => {
  it("is used by keyboard alone: to narrow down, open, set, touch and delete", async () => {
    for (const key of ["cart:1", "cart:2", "user:1"]) await world.set(0, key, "old");
    const page = await world.open("keys");
    await page.getByLabel("Keys that begin with").focus();
    await page.keyboard.type("ca");
    await page.keyboard.press("Enter");
    await shows(page, '[role="status"]', "2 keys");
    await page.getByLabel("And contain").fill("T:2");
    await page.keyboard.press("Enter");
    await shows(page, '[role="status"]', "1 key of the 2 that were looked at");
    await page.getByLabel("And contain").fill("");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: /^cart:/ }).press("Enter");
    await page.getByRole("link", { name: "cart:2" }).press("Enter");
    await shows(page, "h1", "cart:2");
    await shows(page, ".value pre", "old");
    await page.waitForSelector('.live[data-state="live"]');
    await page.getByLabel("Value", { exact: true }).focus();
    await page.keyboard.type('{"new":true}');
    await page.getByLabel("Lives for").focus();
    await page.keyboard.type("1h");
    await page.keyboard.press("Enter");
    await shows(page, ".value pre", '"new": true');
    await shows(page, ".entries tr:nth-child(2) td", "in 00:59:5");
    await shows(page, ".way li", "wrote it");
    await page.getByLabel("Lives for").fill("");
    await page.getByRole("button", { name: "Touch" }).press("Enter");
    await shows(page, ".entries tr:nth-child(1) td", "never");
    await page.getByRole("button", { name: "Delete …" }).press("Enter");
    await page.getByRole("button", { name: "Delete everywhere" }).press("Enter");
    await holds(page, "document.querySelectorAll('.state.is-deleted').length === 2");
    await expectSound(page);
  });
});

describe.skipIf(!HAS_BROWSER)("the page of one key", () => {
  it("shows what others set without a reload, and its way through the regions", async () => {
    await world.set(0, "seen", "first");
    const page = await world.open(entryOf("seen"), { colorScheme: "dark" });
    await shows(page, ".value pre", "first");
    await page.waitForSelector('.live[data-state="live"]');
    await world.set(1, "seen", "second");
    await shows(page, ".value pre", "second");
    await shows(page, "section", "Written at rome");
    await shows(page, ".way li", "ms later");
    await expectSound(page);
  });

  it("counts down what is left of a value's life by the region's clock, however wrong that of the browser is", async () => {
    await fetch(`${regionUrl()}/cache/counted?ttl=1h&ack=all`, { method: "PUT", body: "down" });
    const initScript = "const right = Date.now; Date.now = () => right() - 7 * 3_600_000;";
    const page = await world.open(entryOf("counted"), { initScript });
    await shows(page, ".entries td", "in 00:59:");
    expect(await page.locator(".entries .is-expired").count()).toBe(0);
  });

  it("shows keys and values that are markup, unseen characters, images and large as what they are", async () => {
    await world.set(0, EVIL, "<script>alert(2)</script>\u0000\u2066", "text/html");
    await world.set(
      0,
      "drawing",
      '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(3)"/>',
      "image/svg+xml",
    );
    await world.set(0, "picture", new Uint8Array(Buffer.from(PNG, "base64")), "text/html");
    await world.set(0, "large", "0123456789abcdef".repeat(MEBIBYTE / 16));
    const page = await world.open(entryOf(EVIL), { width: 360 });
    await shows(page, "h1 .character", "RLO");
    await shows(page, ".value pre", "<script>alert(2)</script>");
    await shows(page, ".value .character", "U+2066");
    await expectSound(page);
    const go = (key: string): Promise<void> => page.evaluate(`location.hash = "#/${entryOf(key)}"`);
    await go("drawing");
    await shows(page, ".value pre", "<svg");
    await page.getByRole("button", { name: "Image" }).click();
    await shows(page, ".value", "no image that is shown here");
    await go("picture");
    await holds(page, "document.querySelector('.picture')?.naturalWidth === 1");
    await go("large");
    const length = "document.querySelector('.value pre')?.textContent.length ?? 0";
    await holds(page, `${length} === 4096`);
    await page.getByRole("button", { name: /^Show more/ }).click();
    await holds(page, `${length} === 4096 + 65536`);
    expect(await page.locator("main script, main iframe, main img").count()).toBe(0);
  });
});

describe.skipIf(!HAS_BROWSER)("the page to try a development cluster", () => {
  it("cuts a link, lets both sides write, heals it, and shows that they agree", async () => {
    const page = await world.open("try", {}, world.playgroundUrl);
    const side = (name: string) => page.locator(`[data-region="${name}"]`);
    const write = async (name: string, value: string): Promise<void> => {
      await side(name).getByLabel("Value", { exact: true }).fill(value);
      await side(name).getByRole("button", { name: "Set here" }).click();
    };
    const held = (name: string, value: string): Promise<void> =>
      side(name).locator("[data-testid=held]", { hasText: value }).waitFor();
    await page.getByLabel("Key", { exact: true }).fill(EVIL);
    await write("oslo", "<b>one</b>");
    await held("rome", "<b>one</b>");
    await shows(page, "[data-testid=agreement]", "They agree.");
    await side("rome").getByRole("button", { name: "Cut its link" }).click();
    await until("the directory misses it", () => world.region(1).status === "standalone");
    await write("oslo", "mine");
    await write("rome", "yours, and later");
    await held("rome", "yours");
    await held("oslo", "mine");
    await shows(page, "[data-testid=agreement]", "That of rome is the newer one.");
    await shows(page, '[data-region="rome"]', "1 write waits");
    await expectSound(page);
    await side("rome").getByRole("button", { name: "Heal its link" }).click();
    await held("oslo", "yours, and later");
    await shows(page, "[data-testid=agreement]", "The digests of everything that they hold are");
    await shows(page, "[data-testid=agreement]", "They agree.");
    expect(await page.content()).not.toContain("meridian-dev");
  });

  it("runs a drill, and ticks off what was promised", async () => {
    const page = await world.open("try", { width: 360, colorScheme: "dark" }, world.playgroundUrl);
    const drill = page.locator("[data-testid=drill]");
    await drill.getByLabel("What happens").selectOption("cut");
    await drill.getByRole("button", { name: "Run it" }).press("Enter");
    const passed = page.locator("[data-testid=drill]", { hasText: "Passed: together again" });
    await passed.waitFor({ timeout: 60_000 });
    const kept = await drill.locator('[data-state="kept"]').count();
    expect([kept, await drill.locator("li").count()]).toEqual([4, 4]);
    // What was compared while the load went on is compared anew.
    await shows(page, "[data-testid=agreement]", "They agree.");
    await expectSound(page);
  });

  it("says that the cluster was started again where its own token is good no more, and asks for no other", async () => {
    const page = await world.open("try", {}, world.playgroundUrl);
    await page.waitForSelector('.live[data-state="live"]');
    const body = JSON.stringify({ code: "UNAUTHENTICATED", detail: "got another one" });
    await page.route("**/dev/watch", (route) => route.fulfill({ status: 401, body }));
    await page.reload();
    await shows(page, ".live", "The cluster was started again");
    expect(await page.locator("dialog[open]").count()).toBe(0);
    await page.unroute("**/dev/watch");
    await page.getByRole("button", { name: "Load the page again" }).press("Enter");
    await page.waitForSelector('.live[data-state="live"]');
  });

  it("is nowhere but in a development cluster", async () => {
    const page = await world.open("try");
    await shows(page, "nav a", "Trouble");
    expect(await page.locator("nav a", { hasText: "Try it" }).count()).toBe(0);
    await page.waitForSelector(".world");
    const answer = await fetch(`${world.directoryUrl}/dev/cut?region=oslo`, { method: "POST" });
    expect(answer.status).toBe(404);
  });
});

describe.skipIf(!HAS_BROWSER)("the page of troubles", () => {
  it("says what is wrong and what to do, compares everyone, and hears by itself that a region has gone", async () => {
    const page = await world.open("trouble");
    await shows(page, ".complaint", "It is the only directory");
    await shows(page, ".remedy code", "--peer");
    await shows(page, "section", "Nothing waits here.");
    await page.getByRole("button", { name: "Compare" }).click();
    await shows(page, ".outcome", "Everyone holds the same: ");
    expect(await page.locator(".verdict-map .mark.is-ready").count()).toBe(world.names.length);
    await expectSound(page);
    await world.region(1).stop();
    await shows(page, ".complaint", "The node is missed for");
    await shows(page, ".remedy code", "meridian nodes forget rome");
    await page.getByRole("button", { name: "Compare" }).press("Enter");
    await shows(page, "[data-testid=verify]", "rome is gone, and was not compared.");
    await page.waitForSelector('.verdict-map [aria-label="rome was not compared"].is-draining');
  });

  it("of a region says how the region itself stands", async () => {
    const page = await world.open("trouble", { width: 360, colorScheme: "dark" }, regionUrl());
    await shows(page, ".well", "Nothing is wrong.");
    await expectSound(page);
  });
});
