/** A directory, two regions and a playground in this process, for the tests of one file, and a browser that opens their pages. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startDirectory, type RunningDirectory } from "@meridian/directory";
import { startSmallRegion, until } from "@meridian/harness";
import { LinkProxy } from "@meridian/local-cluster";
import type { RunningRegion } from "@meridian/region";
import { silentLogger, systemClock, systemRandom } from "@meridian/runtime";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";

// @boundaries-ignore The command is published without its playground, and so exports none.
import { startPlayground } from "../../apps/cli/playground/start-playground.ts";
import {
  BROWSER_ARGS,
  buildConsole,
  CHROMIUM,
  seriousFaults,
  watchedPage,
  type PageOptions,
  type WatchedPage,
} from "./console-page.ts";

/** Whether there is a browser. Without one, nothing is started. */
export const HAS_BROWSER: boolean = existsSync(CHROMIUM);

const NAMES = ["oslo", "rome"];
const VALUE_BYTES_MAX = 2 * 1024 * 1024;

/** The programs and the browser, from `beforeAll` to `afterAll`. */
export class ConsoleWorld {
  readonly names: readonly string[] = NAMES;
  #directory: RunningDirectory | undefined;
  #regions: readonly RunningRegion[] = [];
  #lines: readonly LinkProxy[] = [];
  #playground: Awaited<ReturnType<typeof startPlayground>> | undefined;
  #browser: Browser | undefined;
  readonly #folder = mkdtempSync(join(tmpdir(), "meridian-console-"));
  readonly #opened: WatchedPage[] = [];

  /** Registers what starts and stops everything for the tests of the file. A page that has done what it may not fails its test. */
  constructor() {
    beforeAll(() => (HAS_BROWSER ? this.#start() : undefined));
    afterAll(() => this.#stop());
    afterEach(() => this.#closePages());
  }

  get directoryUrl(): string {
    return this.#directory?.url ?? "";
  }

  get playgroundUrl(): string {
    return this.#playground?.url ?? "";
  }

  /** The region of that index in `names`. */
  region(index: number): RunningRegion {
    const region = this.#regions[index];
    if (region === undefined) throw new Error(`No region ${index} has been started`);
    return region;
  }

  /** Opens a place of the console, by default of the directory's. */
  async open(
    place: string,
    options: PageOptions = {},
    url: string = this.directoryUrl,
  ): Promise<Page> {
    if (this.#browser === undefined) throw new Error("The browser has not been started");
    const watched = await watchedPage(this.#browser, url, options);
    this.#opened.push(watched);
    await watched.page.goto(`${url}/#/${place}`);
    return watched.page;
  }

  /** Sets a key at the region of an index, and waits until all have it. */
  async set(
    index: number,
    key: string,
    body: string | Uint8Array<ArrayBuffer>,
    type = "text/plain",
  ): Promise<void> {
    const url = `${this.region(index).url}/cache?key=${encodeURIComponent(key)}&ack=all`;
    const headers = { "content-type": type };
    const { status } = await fetch(url, { method: "POST", body, headers });
    if (status !== 200) throw new Error(`Expected to set ${key}, got HTTP ${status}`);
  }

  async #start(): Promise<void> {
    const common = { cluster: "shop", logger: silentLogger, port: 0 };
    const built = buildConsole();
    const directory = await startDirectory({ ...common, data: join(this.#folder, "directory") });
    this.#directory = directory;
    this.#lines = await Promise.all(NAMES.map(() => LinkProxy.listen()));
    this.#regions = await Promise.all(
      this.#lines.map((line, index) => {
        line.target = directory.url;
        const id = NAMES[index] ?? "";
        const data = join(this.#folder, id);
        const given = { id, data, valueBytesMax: VALUE_BYTES_MAX, directory: [line.url] };
        return startSmallRegion({ ...common, ...given });
      }),
    );
    this.#playground = await startPlayground({
      port: 0,
      directoryUrl: directory.url,
      regions: this.#regions.map(({ url }, index) => ({
        id: NAMES[index] ?? "",
        lat: 0,
        lon: 0,
        url,
        lines: this.#lines.slice(index, index + 1),
      })),
      directoryName: "directory",
      signal: () => {},
      drillSeconds: 1,
      clock: systemClock,
      random: systemRandom,
      say: () => {},
    });
    for (const region of this.#regions) await until("it is ready", () => region.status === "ready");
    this.#browser = await chromium.launch({ executablePath: CHROMIUM, args: [...BROWSER_ARGS] });
    await built;
  }

  async #stop(): Promise<void> {
    await this.#browser?.close();
    await this.#playground?.stop();
    for (const region of this.#regions) await region.stop();
    await this.#directory?.stop();
    for (const line of this.#lines) await line.close();
    rmSync(this.#folder, { recursive: true });
  }

  async #closePages(): Promise<void> {
    for (const { page, faults } of this.#opened.splice(0)) {
      await page.close();
      if (faults.length > 0)
        throw new Error(`Expected a page that behaves, got ${faults.join("; ")}`);
    }
  }
}

/** Waits until a text stands where a selector finds it. */
export async function shows(page: Page, selector: string, text: string): Promise<void> {
  await page.locator(selector, { hasText: text }).first().waitFor();
}

/** Expects a page in which axe-core finds nothing serious, and that is no wider than the window. */
export async function expectSound(page: Page): Promise<void> {
  expect(await seriousFaults(page)).toEqual([]);
  const isScrolled = "document.documentElement.scrollWidth > innerWidth";
  expect(await page.evaluate(isScrolled)).toBe(false);
}
