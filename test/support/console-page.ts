/** Opens the console in a browser, and watches what no page of it may do. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { promisify } from "node:util";

import { ROOT, until } from "@meridian/harness";
import type { Browser, Page } from "playwright-core";

const run = promisify(execFile);

/** The path of the browser. */
export const CHROMIUM = "/usr/bin/chromium";

/** How it is started. */
export const BROWSER_ARGS: readonly string[] = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
];

/** Builds the console, if what is built is older than its sources. */
export async function buildConsole(): Promise<void> {
  const args = ["turbo", "run", "build", "--filter=@meridian/console", "--output-logs=errors-only"];
  await run("npx", args, { cwd: ROOT });
}

/** Waits until an expression is true in a page, which is asked again and again: it may not evaluate text itself. */
export async function waitFor(page: Page, expression: string): Promise<void> {
  await until(`\`${expression}\``, () => page.evaluate<boolean>(expression));
}

/** A page, and what it has done that it may not. */
export interface WatchedPage {
  readonly page: Page;
  /** Requests to other origins, errors of scripts, and what the policy has refused. Empty for a page that behaves. */
  readonly faults: string[];
}

/** How a page is opened. */
export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: "light" | "dark";
  readonly reducedMotion?: "reduce";
  /** Code that runs before that of the page. */
  readonly initScript?: string;
}

/** As long as a busy machine may take, in milliseconds. */
const TIMEOUT_MS = 90_000;

/** Opens an empty page of a context of its own. */
export async function watchedPage(
  browser: Browser,
  origin: string,
  { width = 1280, height = 900, initScript = "", ...options }: PageOptions = {},
): Promise<WatchedPage> {
  const page = await browser.newPage({ viewport: { width, height }, ...options });
  page.setDefaultTimeout(TIMEOUT_MS);
  const faults: string[] = [];
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`)) faults.push(`asked ${url}`);
  });
  page.on("pageerror", (error) => faults.push(`threw ${error.message}`));
  page.on("console", (message) => {
    if (/Content.Security.Policy/i.test(message.text())) faults.push(message.text());
  });
  page.on("dialog", (dialog) => {
    faults.push(`said ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.addInitScript(
    `addEventListener('securitypolicyviolation', (event) => console.error('Content Security Policy', event.violatedDirective));${initScript}`,
  );
  return { page, faults };
}

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");

/** What axe-core finds on a page that is serious or worse, one line each. It describes only what it finds wrong, and not each element that is right. */
export async function seriousFaults(page: Page): Promise<readonly string[]> {
  await page.evaluate(AXE);
  return page.evaluate(`axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ": " + html.slice(0, 200))))`);
}
