/** The console in a browser, against real programs. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { consoleFolder } from "@meridian/console";
import { startSmallDirectory } from "@meridian/harness";
import { Cluster, FIVE_PLACES } from "@meridian/local-cluster";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import {
  difference,
  GOLDEN_FOLDER,
  goldenMajor,
  LOOKS,
  majorOf,
  nameOf,
} from "../console/golden.ts";
import { openScene, wordlessMap } from "../console/scene.ts";
import {
  BROWSER_ARGS,
  buildConsole,
  CHROMIUM,
  seriousFaults,
  waitFor,
  watchedPage,
  type PageOptions,
  type WatchedPage,
} from "../support/console-page.ts";
import { IS_THOROUGH } from "../support/thorough.ts";
import { startTokenCluster, type TokenCluster } from "../support/token-cluster.ts";

const FIRST_VIEW_BYTES_MAX = 150_000;

/** Where the directory stands. */
const SOUTH = { lat: -49.35, lon: 70.22 };

/** Which part of the pixels of a picture may differ: some at the edges of shapes do. */
const DIFFERENCE_MAX = 0.002;

let browser: Browser;
let cluster: Cluster;
let tokens: TokenCluster;
const opened: WatchedPage[] = [];

/** Opens the console of the cluster's directory, and waits until it shows all nodes. */
async function openMap(options: PageOptions = {}): Promise<Page> {
  const watched = await watchedPage(browser, cluster.directoryUrl, options);
  opened.push(watched);
  await watched.page.goto(`${cluster.directoryUrl}/`);
  await watched.page.waitForSelector('.live[data-state="live"]');
  await waitFor(
    watched.page,
    `document.querySelectorAll('.world [data-status]').length === ${cluster.regions.length}`,
  );
  return watched.page;
}

/** Where the Equal Earth projection with its middle at 11° E has a place, on a map of that width with a margin of 10 pixels (by its published formula). */
function expectedPixel(
  width: number,
  { lat, lon }: { readonly lat: number; readonly lon: number },
) {
  const [a1, a2, a3, a4] = [1.340264, -0.081106, 0.000893, 0.003796];
  const m = Math.sqrt(3) / 2;
  const plane = (phi: number, lambda: number): readonly [number, number] => {
    const t = Math.asin(m * Math.sin(phi));
    const t2 = t * t;
    const t6 = t2 ** 3;
    const slope = a1 + 3 * a2 * t2 + t6 * (7 * a3 + 9 * a4 * t2);
    return [(lambda * Math.cos(t)) / (m * slope), t * (a1 + a2 * t2 + t6 * (a3 + a4 * t2))];
  };
  const radians = (degrees: number): number => (degrees * Math.PI) / 180;
  const turned = ((((lon - 11 + 180) % 360) + 360) % 360) - 180;
  const [x, y] = plane(radians(lat), radians(turned));
  const [right] = plane(0, Math.PI);
  const [, top] = plane(Math.PI / 2, 0);
  const scale = (width - 20) / (2 * right);
  return { x: 10 + scale * (right + x), y: 10 + scale * (top - y) };
}

/** The middle of a mark, from the upper left corner of the map. */
function shownPixel(
  page: Page,
  element: string,
): Promise<{ readonly x: number; readonly y: number }> {
  return page.evaluate(`(() => {
    const map = document.querySelector(".world svg").getBoundingClientRect();
    const mark = document.querySelector("#${element} .shape").getBoundingClientRect();
    return { x: (mark.left + mark.right) / 2 - map.left, y: (mark.top + mark.bottom) / 2 - map.top };
  })()`);
}

const widthOf = (page: Page): Promise<number> =>
  page.evaluate('document.querySelector(".world svg").clientWidth');

/** Names that do something where they are taken for more than text. */
const HOSTILE_NAMES = [
  '<img src=x onerror="alert(1)">',
  "<script>alert(2)</script>",
  "!\u202Egnitpyrc\u0007",
  "__proto__",
  "0".repeat(63),
];

const POLES = [90, -90, 0, 0, 89.9].map((lat, index) => [lat, [0, 180, 180, -180, -179][index]]);

/** What a directory could tell of at most and at worst: many nodes, at the poles and the antimeridian. */
const HOSTILE_NODES = Array.from({ length: 1_000 }, (_, index) => ({
  id: HOSTILE_NAMES[index] ?? `node-${index}`,
  region: HOSTILE_NAMES[index % HOSTILE_NAMES.length],
  url: "javascript:alert(3)",
  lat: POLES[index]?.[0] ?? Math.sin(index) * 80,
  lon: POLES[index]?.[1] ?? ((index * 37) % 360) - 180,
  status: "gone",
  goneSinceMs: 0,
  lagMs: null,
  load: null,
  outboxPending: null,
}));

const hasBrowser = existsSync(CHROMIUM);

beforeAll(async () => {
  if (!hasBrowser) return;
  // Far from all nodes, so that arrow keys go from one of these to the next.
  cluster = new Cluster({
    directoryArgs: ["--id=south", `--lat=${SOUTH.lat}`, `--lon=${SOUTH.lon}`],
  });
  const built = buildConsole();
  const started = cluster.start(FIVE_PLACES);
  browser = await chromium.launch({ executablePath: CHROMIUM, args: [...BROWSER_ARGS] });
  await Promise.all([built, started]);
  tokens = await startTokenCluster();
});
afterAll(async () => {
  await browser?.close();
  await cluster?.dispose();
});
// No page may do these things, whatever it is tested for.
afterEach(async () => {
  for (const { page, faults } of opened.splice(0)) {
    await page.close();
    if (faults.length > 0)
      throw new Error(`Expected a page that behaves, got: ${faults.join("; ")}`);
  }
});

describe.skipIf(!hasBrowser)(`the map in ${CHROMIUM} (skipped without it)`, () => {
  it("shows five nodes and their directory where the projection has them, wide and narrow", async () => {
    for (const width of [1280, 360]) {
      const page = await openMap({ width });
      const mapWidth = await widthOf(page);
      expect(mapWidth).toBeLessThanOrEqual(width);
      await page.waitForSelector("#directory-0");
      const marks = FIVE_PLACES.map((place) => ({ element: `node-${place.id}`, place }));
      for (const { element, place } of [...marks, { element: "directory-0", place: SOUTH }]) {
        const shown = await shownPixel(page, element);
        const expected = expectedPixel(mapWidth, place);
        expect(Math.hypot(shown.x - expected.x, shown.y - expected.y)).toBeLessThan(1);
      }
      const isScrolled = "document.documentElement.scrollWidth > innerWidth";
      expect(await page.evaluate(isScrolled)).toBe(false);
    }
  });

  it("answers a click on the sea as `/nearest` does", async () => {
    const page = await openMap();
    const place = { lat: 35, lon: -40 };
    const { x, y } = expectedPixel(await widthOf(page), place);
    await page.locator(".world svg").click({ position: { x, y } });
    await page.waitForSelector("[data-testid=nearest] li");
    const asked = `${cluster.directoryUrl}/nearest?lat=${place.lat}&lon=${place.lon}&limit=5`;
    const { nodes } = (await (await fetch(asked)).json()) as {
      readonly nodes: readonly { readonly id: string; readonly distanceMeters: number }[];
    };
    const shown: readonly { readonly id: string; readonly meters: string }[] = await page.evaluate(
      `[...document.querySelectorAll("[data-testid=nearest] li")].map((each) => ({ ...each.dataset }))`,
    );
    expect(shown.map(({ id }) => id)).toEqual(nodes.map(({ id }) => id));
    nodes.forEach(({ distanceMeters }, index) => {
      // A pixel is some thirty kilometres wide.
      expect(Math.abs(Number(shown[index]?.meters) - distanceMeters)).toBeLessThan(60_000);
    });
  });

  it("shows a set as a pulse, and what it is in words", async () => {
    const page = await openMap();
    const url = `${cluster.region("montreal").url}/cache/greeting`;
    // Drawn pixels are looked for in each frame from here on.
    const drawn = page.evaluate(`new Promise((resolve) => {
      const canvas = document.querySelector("canvas.pulses");
      const look = () => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        if (data.some((byte) => byte !== 0)) resolve(true);
        else requestAnimationFrame(look);
      };
      look();
    })`);
    const set = (): Promise<unknown> => fetch(url, { method: "PUT", body: "hello" });
    await set();
    // A browser that gets no processor time for a second draws nothing of one pulse.
    const again = setInterval(() => void set(), 2_000);
    try {
      expect(await drawn).toBe(true);
    } finally {
      clearInterval(again);
    }
    await waitFor(
      page,
      `document.querySelector("[data-testid=traffic]").textContent === "Last: 1 frame from montreal to 4 nodes."`,
    );
  });
});

describe.skipIf(!hasBrowser)(`a reader of the map in ${CHROMIUM} (skipped without it)`, () => {
  it("needs no more than a keyboard", async () => {
    const page = await openMap();
    const focused = (): Promise<string> => page.evaluate("document.activeElement.id");
    for (let tabs = 0; !(await focused()).startsWith("node-"); tabs += 1) {
      expect(tabs).toBeLessThan(20);
      await page.keyboard.press("Tab");
    }
    expect(await focused()).toBe("node-frankfurt");
    await page.keyboard.press("ArrowLeft");
    expect(await focused()).toBe("node-montreal");
    await page.keyboard.press("Enter");
    await waitFor(
      page,
      `document.querySelector("[data-testid=node] h2")?.textContent === "montreal"`,
    );
    await page.keyboard.press("Escape");
    await waitFor(page, `document.querySelector("[data-testid=node]") === null`);
    await page.keyboard.press("Tab");
    await page.keyboard.type("-33");
    await page.keyboard.press("Tab");
    await page.keyboard.type("151");
    await page.keyboard.press("Enter");
    await page.waitForSelector('[data-testid=nearest] li[data-id="sydney"]');
  });

  it("finds nothing that axe-core calls serious on the map, or on any page where there is time, by day and by night", async () => {
    const page = await openMap({ reducedMotion: "reduce" });
    await page.click("#node-singapore");
    await page.waitForSelector("[data-testid=node]");
    const links: readonly string[] = await page.evaluate(
      '[...document.querySelectorAll("nav a")].map((each) => each.getAttribute("href"))',
    );
    expect(links.length).toBeGreaterThanOrEqual(3);
    for (const link of IS_THOROUGH ? links : links.slice(0, 1)) {
      // With the keyboard: pages are links.
      await page.focus(`nav a[href="${link}"]`);
      await page.keyboard.press("Enter");
      await page.waitForSelector(`nav a[href="${link}"][aria-current]`);
      await page.waitForSelector("main h1");
      // All pages take their colours from the same variables: the first is looked at in both themes.
      const schemes = link === links[0] ? (["light", "dark"] as const) : (["dark"] as const);
      for (const colorScheme of schemes) {
        await page.emulateMedia({ colorScheme });
        expect([link, await seriousFaults(page)]).toEqual([link, []]);
      }
    }
  });

  it("sees within two seconds that a region is gone, and hears it", async () => {
    const page = await openMap();
    await cluster.region("sydney").kill();
    await page.waitForSelector('#node-sydney[data-status="gone"]', { timeout: 2_000 });
    await waitFor(
      page,
      `document.querySelector("[data-testid=news]").textContent.includes("sydney is gone")`,
    );
    expect(await page.textContent('tr[data-id="sydney"]')).toContain("gone");
  });
});

describe.skipIf(!hasBrowser)(`the console in ${CHROMIUM} (skipped without it)`, () => {
  it("shows hostile names and addresses as text, and a thousand nodes", async () => {
    const { origin } = new URL(cluster.directoryUrl);
    const watched = await watchedPage(browser, origin);
    opened.push(watched);
    const { page } = watched;
    await page.route("**/nodes/watch*", (route) =>
      route.fulfill({
        contentType: "text/event-stream",
        body: `event: nodes\ndata: ${JSON.stringify({ nodes: HOSTILE_NODES })}\n\n`,
      }),
    );
    await page.goto(`${origin}/`);
    await waitFor(
      page,
      `document.querySelectorAll(".world [data-status]").length === ${HOSTILE_NODES.length}`,
    );
    const text: string = await page.evaluate('document.querySelector("table").textContent');
    for (const name of HOSTILE_NAMES) expect(text).toContain(name);
    for (const name of HOSTILE_NAMES) {
      await page.evaluate(
        `[...document.querySelectorAll("tr button")].find((each) => each.textContent === ${JSON.stringify(name)}).click()`,
      );
      await waitFor(
        page,
        `document.querySelector("[data-testid=node] h2")?.textContent === ${JSON.stringify(name)}`,
      );
    }
    const made = `document.querySelectorAll('main img, main script, [href^="javascript"]').length`;
    expect(await page.evaluate(made)).toBe(0);
    expect(await page.evaluate('document.querySelector(".live").dataset.state')).not.toBe("live");
  });

  it("says when it is live no more, and is again when the directory is", async () => {
    const folder = mkdtempSync(join(tmpdir(), "meridian-console-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const data = join(folder, "directory");
    const first = await startSmallDirectory({ data });
    const port = Number(new URL(first.url).port);
    const { page, faults } = await watchedPage(browser, first.url);
    onTestFinished(() => page.close());
    await page.goto(`${first.url}/`);
    await page.waitForSelector('.live[data-state="live"]');
    await first.stop();
    await page.waitForSelector('.live[data-state="lost"]');
    const second = await startSmallDirectory({ data, port });
    onTestFinished(() => second.stop());
    await page.waitForSelector('.live[data-state="live"]');
    expect(faults).toEqual([]);
  });

  it("asks for a token where one is demanded, keeps it in memory only, and says when it is good no more", async () => {
    const { directory, tokenOf, revoke } = tokens;
    const watched = await watchedPage(browser, directory);
    opened.push(watched);
    const { page } = watched;
    await page.goto(`${directory}/`);
    await page.waitForSelector("dialog[open] [role=alert]");
    const token = await tokenOf({ scope: "read" });
    await page.fill("dialog input", token);
    await page.keyboard.press("Enter");
    await page.waitForSelector('.live[data-state="live"]');
    await page.waitForSelector("#node-paris");
    const kept =
      "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href])";
    expect(await page.evaluate(kept)).not.toContain(token.slice(0, 20));
    expect(await page.content()).not.toContain(token.slice(0, 20));
    await revoke(tokens.region, token);
    await page.waitForSelector('.live[data-state="refused"]');
    expect(await page.textContent("dialog[open] [role=alert]")).toContain("refused");
  });
});

describe.skipIf(!hasBrowser)(`the look of the map (skipped without ${CHROMIUM})`, () => {
  it.runIf(IS_THOROUGH)(
    "is that of the kept pictures, which `npm run console:pictures` makes anew",
    async (context) => {
      const [kept, used] = [goldenMajor(), majorOf(browser)];
      if (kept !== used)
        context.skip(`the pictures were made by Chromium ${kept}, and this is ${used}`);
      const page = await openScene(browser, `${cluster.directoryUrl}/`);
      const different: string[] = [];
      for (const look of LOOKS) {
        const golden = readFileSync(join(GOLDEN_FOLDER, nameOf(look)));
        const part = await difference(page, await wordlessMap(page, look), golden);
        if (part > DIFFERENCE_MAX) different.push(`${nameOf(look)}: ${part}`);
      }
      await page.close();
      expect(different).toEqual([]);
    },
  );
});

describe.skipIf(!hasBrowser)(`the files of the console (skipped without ${CHROMIUM})`, () => {
  it("are at most 150 kB of gzip for the first view, without code or styles in the page", () => {
    const read = (path: string): Buffer => readFileSync(join(consoleFolder(), path));
    const index = read("index.html").toString();
    const files = [...index.matchAll(/(?:src|href)="\/([^"]+)"/g)].map(([, path = ""]) => path);
    expect(files.length).toBeGreaterThanOrEqual(3);
    const bytes = files.map((path) => gzipSync(read(path)).byteLength);
    const all = bytes.reduce((sum, each) => sum + each, gzipSync(index).byteLength);
    expect(all).toBeLessThan(FIRST_VIEW_BYTES_MAX);
    expect(index).not.toMatch(/<style|style=|\son\w+=|<script(?![^>]* src=)/);
  });
});
