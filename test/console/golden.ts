/** Pictures of the map that are kept, to see when it looks different. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "@meridian/harness";
import type { Browser, Page } from "playwright-core";

import type { Look } from "./scene.ts";

/** Where the pictures are. */
export const GOLDEN_FOLDER: string = join(ROOT, "test/console/golden");

/** Has the major version of the browser that made them. Another one may draw edges another way. */
export const VERSION_FILE: string = join(GOLDEN_FOLDER, "chromium.txt");

/** Both themes at three widths. */
export const LOOKS: readonly Look[] = (["light", "dark"] as const).flatMap((colorScheme) =>
  [360, 768, 1280].map((width) => ({ width, height: 900, colorScheme })),
);

/** The file of a picture. */
export function nameOf({ colorScheme, width }: Look): string {
  return `${colorScheme}-${width}.webp`;
}

/** The major version of a browser. */
export function majorOf(browser: Browser): string {
  return browser.version().split(".")[0] ?? "";
}

/** The major version of the browser that made the pictures; undefined if there are none. */
export function goldenMajor(): string | undefined {
  return existsSync(VERSION_FILE) ? readFileSync(VERSION_FILE, "utf8").trim() : undefined;
}

/** A picture as WebP, which is half as large as PNG; without loss for the quality 1. Made by the browser. */
export async function webpOf(page: Page, png: Uint8Array, quality: number): Promise<Buffer> {
  const url: string = await page.evaluate(`(async () => {
    const image = await createImageBitmap(await (await fetch("${urlOf(png)}")).blob());
    const canvas = new OffscreenCanvas(image.width, image.height);
    canvas.getContext("2d").drawImage(image, 0, 0);
    const blob = await canvas.convertToBlob({ type: "image/webp", quality: ${quality} });
    return new Promise((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.readAsDataURL(blob);
    });
  })()`);
  return Buffer.from(url.slice(url.indexOf(",") + 1), "base64");
}

function urlOf(picture: Uint8Array): string {
  const type = picture[0] === 0x89 ? "png" : "webp";
  return `data:image/${type};base64,${Buffer.from(picture).toString("base64")}`;
}

/** Which part of the pixels of two pictures differ visibly, from 0 to 1; 1 for pictures of different sizes. Computed by the browser. */
export function difference(page: Page, a: Uint8Array, b: Uint8Array): Promise<number> {
  return page.evaluate(`(async () => {
    const read = async (url) => {
      const image = await createImageBitmap(await (await fetch(url)).blob());
      const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
      context.drawImage(image, 0, 0);
      return context.getImageData(0, 0, image.width, image.height);
    };
    const [a, b] = [await read("${urlOf(a)}"), await read("${urlOf(b)}")];
    if (a.width !== b.width || a.height !== b.height) return 1;
    let different = 0;
    for (let at = 0; at < a.data.length; at += 4) {
      const far = [0, 1, 2].some((part) => Math.abs(a.data[at + part] - b.data[at + part]) > 24);
      if (far) different += 1;
    }
    return different / (a.data.length / 4);
  })()`);
}
