/** The console as it looks with the same nodes every time: for pictures that are compared, and for those of the documents. */
import { PLACES } from "@meridian/local-cluster";
import type { Browser, Page } from "playwright-core";

import { waitFor } from "../support/console-page.ts";

/** The statuses of the nodes in the scene. */
const STATUSES: Readonly<Record<string, string>> = {
  johannesburg: "syncing",
  mumbai: "standalone",
  stockholm: "gone",
  dubai: "draining",
};

const NODES = PLACES.map(({ id, lat, lon }, index) => {
  const status = STATUSES[id] ?? "ready";
  const common = { id, region: id, ip: "127.0.0.1", port: 7401 + index, lat, lon, status };
  const url = `https://${id}.example.com`;
  if (status === "gone") {
    return { ...common, url, goneSinceMs: 1_790_000_000_000, lagMs: null, load: null };
  }
  const load = { entries: 4_000 + index, bytes: 9_000_000, requestsPerSecond: 120 + index };
  return {
    ...common,
    url,
    goneSinceMs: null,
    lagMs: status === "syncing" ? 4_200 : 0,
    load,
    appliedThrough: 80_412,
    outboxPending: 0,
    skewMs: 1,
    peer: null,
    connectedAtMs: 1_790_000_000_000,
    bufferedBytes: 0,
    unsent: 0,
  };
});

const FRAMES = {
  from: { frankfurt: 3, montreal: 1 },
  to: Object.fromEntries(NODES.filter(({ lagMs }) => lagMs === 0).map(({ id }) => [id, 3])),
  reached: 8,
};

/** How the scene is looked at. */
export interface Look {
  readonly width: number;
  readonly height: number;
  readonly colorScheme: "light" | "dark";
}

const PLAIN: Look = { width: 1280, height: 900, colorScheme: "light" };

const STATUS = {
  id: "primary",
  cluster: "production",
  version: "1.0.0",
  lagMaxMs: 10_000,
  lat: 38.7223,
  lon: -9.1393,
  peers: [],
};

/** Opens the scene at the address of a program that serves the console. */
export async function openScene(browser: Browser, url: string, look: Look = PLAIN): Promise<Page> {
  const { width, height, colorScheme } = look;
  const page = await browser.newPage({
    viewport: { width, height },
    colorScheme,
    bypassCSP: true,
  });
  // The stream stays open, as that of a directory does, and is driven by the page's own clock.
  await page.addInitScript(
    `(() => {
      const ask = window.fetch;
      const text = ${JSON.stringify(`event: nodes\ndata: ${JSON.stringify({ nodes: NODES })}\n\n`)};
      window.fetch = (path, init) => {
        if (String(path).startsWith("/status")) return Promise.resolve(Response.json(${JSON.stringify(STATUS)}));
        if (!String(path).startsWith("/nodes/watch")) return ask(path, init);
        const body = new ReadableStream({
          start: (stream) => {
            window.tell = (event) => stream.enqueue(new TextEncoder().encode(event));
            window.tell(text);
          },
        });
        return Promise.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }));
      };
    })()`,
  );
  await page.goto(url);
  await page.waitForSelector('.live[data-state="live"]');
  await waitFor(
    page,
    `document.querySelectorAll(".world [data-status]").length === ${NODES.length}`,
  );
  await page.waitForSelector("#directory-0");
  return page;
}

/** Lets frames pass in the scene. */
export async function passFrames(page: Page): Promise<void> {
  const event = `event: frames\ndata: ${JSON.stringify(FRAMES)}\n\n`;
  await page.evaluate(`window.tell(${JSON.stringify(event)})`);
}

/** The map of a scene, looked at in another way, without words: their look depends on the fonts of the machine. */
export async function wordlessMap(page: Page, look: Look): Promise<Buffer> {
  const { width, height, colorScheme } = look;
  await page.addStyleTag({
    content: ".world .label { display: none } * { transition: none !important }",
  });
  await page.emulateMedia({ colorScheme });
  await page.setViewportSize({ width, height });
  await waitFor(
    page,
    `document.querySelector(".world").clientWidth === document.querySelector(".world svg").clientWidth`,
  );
  return page.locator(".world").screenshot({ animations: "disabled" });
}
