/** How soon a browser shows something of the console. */
import type { Browser } from "playwright-core";

/** How long after a page was asked for its first content is painted, in milliseconds, with nothing kept of earlier loads. */
export async function firstPaintMs(browser: Browser, url: string): Promise<number> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  try {
    await page.goto(url);
    await page.waitForSelector("main h1");
    return await page.evaluate<number>(`new Promise((resolve) => {
      new PerformanceObserver((list) => {
        const paint = list.getEntries().find(({ name }) => name === "first-contentful-paint");
        if (paint !== undefined) resolve(paint.startTime);
      }).observe({ type: "paint", buffered: true });
    })`);
  } finally {
    await page.close();
  }
}
