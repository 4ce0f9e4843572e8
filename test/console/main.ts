/**
 * Opens the pages of the console of a development cluster in Chromium, and leaves them open while keys are written:
 *
 *   npm run hunt:console -- [--minutes 60] [--warm-up <minutes>] [--sample <seconds>] [--rate <writes a second>] [--loads 10]
 *
 * Prints how long the first paint takes, and whether the heap, nodes or listeners of a page grow. Exit code 1 if the median of the first paints
 * is above a second, anything grows by more than its bound, or a page does what it may not.
 */
import { parseArgs } from "node:util";

import { Cluster, FIVE_PLACES } from "@meridian/local-cluster";
import { systemClock, systemRandom } from "@meridian/runtime";
import { chromium, type Browser } from "playwright-core";

// @boundaries-ignore The command is published without its playground, and so exports none.
import { startPlayground } from "../../apps/cli/playground/start-playground.ts";
import { quantile, trendOf, type Sample } from "../soak/trend.ts";
import {
  BROWSER_ARGS,
  buildConsole,
  CHROMIUM,
  watchedPage,
  type WatchedPage,
} from "../support/console-page.ts";
import { firstPaintMs } from "./first-paint.ts";
import { HeapProbe, type HeldByPage } from "./heap.ts";

const MEBIBYTE = 1024 * 1024;
const MINUTE_MS = 60_000;
/**
 * How much each may grow between the first sample and the last, by its slope. A page of a region has the last hour of its numbers, of which
 * an hour's run sees most come.
 */
const GROWTH_MAX: Readonly<Record<keyof HeldByPage, number>> = {
  heapBytes: MEBIBYTE,
  nodes: 200,
  listeners: 50,
};
const FIRST_PAINT_MAX_MS = 1_000;

/** One page goes round all others so often before each sample, and looks at each for so long, in milliseconds. */
const ROUNDS = 3;
const LOOK_MS = 200;
const IN_TURN = "all in turn";
const FIRST = "map";
const KEY = "hunt/watched";
const KEYS = 100;

/** The pages that stay open, by their places. */
const PLACES: readonly string[] = [
  FIRST,
  "region",
  `keys/entry/${encodeURIComponent(KEY)}`,
  "trouble",
  "try",
];

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    "warm-up": { type: "string" },
    sample: { type: "string", default: "60" },
    rate: { type: "string", default: "1" },
    loads: { type: "string", default: "10" },
  },
});
const lengthMs = Number(values.minutes) * MINUTE_MS;
const warmUpMs =
  values["warm-up"] === undefined ? lengthMs / 6 : Number(values["warm-up"]) * MINUTE_MS;
const tell = (line: string): void =>
  void process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
const pauseFor = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));

let isOver = false;
const faults: string[] = [];

/** Runs `job` every so often until all is over. */
async function repeat(everyMs: number, job: (count: number) => Promise<void>): Promise<void> {
  for (let count = 0; !isOver; count += 1) {
    const dueMs = performance.now() + everyMs;
    await job(count).catch((cause: unknown) => faults.push(String(cause)));
    while (!isOver && performance.now() < dueMs) {
      await pauseFor(Math.min(1_000, dueMs - performance.now()));
    }
  }
}

async function measurePaints(browser: Browser, name: string, url: string): Promise<boolean> {
  const took: number[] = [];
  for (let load = 0; load < Number(values.loads); load += 1) {
    took.push(await firstPaintMs(browser, url));
  }
  const [half, longest] = [quantile(took, 0.5), quantile(took, 1)];
  const text = `median ${half.toFixed(0)} ms, longest ${longest.toFixed(0)} ms of ${took.length}`;
  tell(`first paint of ${name}: ${text}`);
  return half <= FIRST_PAINT_MAX_MS;
}

/** A page that is open. */
interface OpenPage extends WatchedPage {
  readonly name: string;
  readonly probe: HeapProbe;
  /** How many samples found it live, and how many not. */
  readonly seen: { live: number; lost: number };
}

/** Opens all pages, and one more for `goRound`. */
async function openPages(browser: Browser, url: string): Promise<readonly OpenPage[]> {
  const opened: OpenPage[] = [];
  for (const name of [...PLACES, IN_TURN]) {
    const watched = await watchedPage(browser, url);
    const place = name === IN_TURN ? FIRST : name;
    await watched.page.goto(`${url}/#/${place}`);
    await watched.page.locator("main h1").waitFor();
    const probe = await HeapProbe.of(watched.page);
    opened.push({ ...watched, name, probe, seen: { live: 0, lost: 0 } });
  }
  return opened;
}

/**
 * Goes from each page to the next, several times round, and ends where it began: what a page leaves behind adds up. Only locators wait here: a
 * handle of an element would keep the page that the element was on.
 */
async function goRound({ page }: OpenPage): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const place of [...PLACES.slice(1), FIRST]) {
      await page.evaluate(`location.hash = ${JSON.stringify(`#/${place}`)}`);
      await page.locator(`nav a[aria-current][href="#/${place.split("/")[0]}"]`).waitFor();
      await page.locator("main h1").waitFor();
      await pauseFor(LOOK_MS);
    }
  }
}

/** Notes whether a page is live: the heap of one that hears nothing says nothing. */
async function lookWhetherLive({ page, seen }: OpenPage): Promise<void> {
  const state = await page.evaluate<string | undefined>(
    'document.querySelector(".live")?.dataset.state ?? "live"',
  );
  seen[state === "live" ? "live" : "lost"] += 1;
}

/** Watches the pages until the time is over. Returns how many of their numbers grow. */
async function watchHeaps(browser: Browser, url: string): Promise<number> {
  const opened = await openPages(browser, url);
  const samples = new Map<string, Sample[]>();
  const startMs = performance.now();
  setTimeout(() => (isOver = true), lengthMs);
  await repeat(Number(values.sample) * 1_000, async () => {
    for (const page of opened) {
      if (page.name === IN_TURN) await goRound(page);
      const { name } = page;
      await lookWhetherLive(page);
      const held = await page.probe.held();
      tell(`${name}: ${JSON.stringify(held)}`);
      if (performance.now() - startMs < warmUpMs) continue;
      for (const [what, value] of Object.entries(held)) {
        const series = `${name}, ${what}`;
        const before = samples.get(series) ?? [];
        samples.set(series, [...before, { atMs: performance.now(), value }]);
      }
    }
  });
  let grows = 0;
  for (const [series, all] of samples) {
    const { median, growth, samples: count } = trendOf(all);
    const what = series.split(", ").at(-1) as keyof HeldByPage;
    const isGrowing = growth > GROWTH_MAX[what];
    grows += Number(isGrowing);
    const verdict = isGrowing ? "GROWS" : "has no trend";
    const numbers = [median, growth, GROWTH_MAX[what]].map((each) => Math.round(each));
    tell(
      `${series}: ${verdict}; median ${numbers[0]}, grown by ${numbers[1]} of ${numbers[2]} (${count} samples)`,
    );
  }
  for (const { name, seen, ...page } of opened) {
    faults.push(...page.faults.map((each) => `${name} ${each}`));
    tell(`${name}: live at ${seen.live} of ${seen.live + seen.lost} samples`);
    if (seen.lost > seen.live / 4) faults.push(`${name} was seldom live`);
  }
  return grows;
}

await buildConsole();
const cluster = new Cluster({ onLost: (how) => faults.push(how) });
const places = FIVE_PLACES.slice(0, 3);
await cluster.start(places);
const playground = await startPlayground({
  port: 0,
  directoryUrl: cluster.directoryUrl,
  directoryName: "directory",
  regions: places.map((place) => {
    const region = cluster.region(place.id);
    return { ...place, url: region.url, lines: [...region.lines.values()] };
  }),
  signal: () => {},
  clock: systemClock,
  random: systemRandom,
  say: tell,
});
const browser = await chromium.launch({ executablePath: CHROMIUM, args: [...BROWSER_ARGS] });
try {
  const regionUrl = cluster.regions[0]?.url ?? "";
  const isPrompt = [
    await measurePaints(browser, "a directory's page", `${cluster.directoryUrl}/`),
    await measurePaints(browser, "a region's page", `${regionUrl}/`),
  ].every(Boolean);
  void repeat(1_000 / Number(values.rate), async (count) => {
    const key = count % 5 === 0 ? KEY : `hunt/${count % KEYS}`;
    const url = `${cluster.regions[count % 3]?.url}/cache?key=${encodeURIComponent(key)}&ttl=10m`;
    const answer = await fetch(url, { method: "POST", body: `value ${count}` });
    if (!answer.ok) throw new Error(`Expected to set ${key}, got ${answer.status}`);
  });
  const grows = await watchHeaps(browser, playground.url);
  for (const fault of faults.slice(0, 50)) tell(`FAILED ${fault}`);
  tell(`${faults.length} failures, ${grows} trends`);
  process.exitCode = isPrompt && faults.length + grows === 0 ? 0 : 1;
} finally {
  isOver = true;
  await browser.close();
  await playground.stop();
  await cluster.dispose();
}
