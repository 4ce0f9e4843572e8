/** Makes the pictures of the console anew: those that a test compares with, and those of the documents. `npm run console:pictures` */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startDirectory } from "@meridian/directory";
import { ROOT } from "@meridian/harness";
import { chromium } from "playwright-core";

import { BROWSER_ARGS, buildConsole, CHROMIUM } from "../support/console-page.ts";
import { GOLDEN_FOLDER, LOOKS, nameOf, VERSION_FILE, majorOf, webpOf } from "./golden.ts";
import { openScene, passFrames, wordlessMap } from "./scene.ts";

/** How long after the frames the pictures of the documents are taken, in milliseconds: when pulses come to the directory, and leave it. */
const MIDWAY_MS = 1_050;

await buildConsole();
const folder = mkdtempSync(join(tmpdir(), "meridian-pictures-"));
const directory = await startDirectory({ data: folder, port: 0 });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: [...BROWSER_ARGS] });
try {
  mkdirSync(GOLDEN_FOLDER, { recursive: true });
  const scene = await openScene(browser, directory.url);
  for (const look of LOOKS) {
    const picture = await webpOf(scene, await wordlessMap(scene, look), 1);
    writeFileSync(join(GOLDEN_FOLDER, nameOf(look)), picture);
  }
  await scene.close();
  writeFileSync(VERSION_FILE, `${majorOf(browser)}\n`);
  const pictures = join(ROOT, "apps/console/pictures");
  mkdirSync(pictures, { recursive: true });
  for (const [name, colorScheme] of [
    ["day", "light"],
    ["night", "dark"],
  ] as const) {
    const page = await openScene(browser, directory.url, { width: 1120, height: 610, colorScheme });
    await page.click("#node-frankfurt");
    await passFrames(page);
    await page.waitForTimeout(MIDWAY_MS);
    const picture = await webpOf(page, await page.screenshot(), 0.9);
    writeFileSync(join(pictures, `${name}.webp`), picture);
    await page.close();
  }
} finally {
  await browser.close();
  await directory.stop();
  rmSync(folder, { recursive: true, force: true });
}
