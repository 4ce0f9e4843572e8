/** Requests of web pages to both programs, in a browser. */
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { chromium, type Browser, type Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BothPrograms, ROOT, startBothPrograms } from "@meridian/harness";

const CHROMIUM = "/usr/bin/chromium";

/** The scripts of pages, by their paths. */
const scripts = new Map<string, string>();

/** Serves an empty page, and the scripts, under an origin of its own. */
async function servePage(): Promise<{ readonly server: Server; readonly origin: string }> {
  const server = createServer(({ url = "" }, answer) => {
    const script = scripts.get(url);
    answer.setHeader("Content-Type", script === undefined ? "text/html" : "text/javascript");
    answer.end(script ?? "<title>page</title>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

let browser: Browser;
let programs: BothPrograms;
let allowed: Awaited<ReturnType<typeof servePage>>;
let stranger: Awaited<ReturnType<typeof servePage>>;

const open = async (url: string): Promise<Page> => {
  const page = await browser.newPage();
  await page.goto(url);
  return page;
};

/** Sends a request from the page's script. Resolves to what the script sees: the status, and the text or the error code. */
const ask = (page: Page, method: string, url: string, body?: string): Promise<readonly unknown[]> =>
  page.evaluate(
    `fetch(${JSON.stringify(url)}, ${JSON.stringify({ method, body, headers: { "Meridian-Wait-Ms": "9" } })})
      .then(async (answer) => {
        const text = await answer.text();
        return [answer.status, answer.status === 403 ? JSON.parse(text).code : text];
      }, (failure) => [failure.name])`,
  );

/** Has Vite make the bundle of the page that uses the client, and serves what it made. */
async function bundleClient(): Promise<void> {
  const made = await build({
    root: `${ROOT}/test/support/browser-page`,
    configFile: false,
    logLevel: "error",
    resolve: { conditions: ["@meridian/source", "browser", "module"] },
    build: {
      write: false,
      target: "es2023",
      rollupOptions: { input: "main.js", output: { entryFileNames: "main.js" } },
    },
  });
  const outputs = [made].flat().flatMap((one) => ("output" in one ? one.output : []));
  for (const output of outputs) {
    if (output.type === "chunk") scripts.set(`/${output.fileName}`, output.code);
  }
}

/** Has a page use the client. Resolves to its title, which is `done` or `failed`, and to what it says. */
async function useClient(): Promise<readonly [title: string, said: string]> {
  await bundleClient();
  const page = await open(`${allowed.origin}/?region=${programs.region}`);
  await page.addScriptTag({ url: "/main.js", type: "module" });
  await page.waitForFunction("document.title !== 'page'");
  return [await page.title(), (await page.textContent("body")) ?? ""];
}

const statusOf = async (...asked: Parameters<typeof ask>): Promise<unknown> =>
  (await ask(...asked))[0];

async function start(): Promise<void> {
  [allowed, stranger] = [await servePage(), await servePage()];
  programs = await startBothPrograms({ allowOrigin: [allowed.origin] });
  const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"];
  browser = await chromium.launch({ executablePath: CHROMIUM, args });
}

describe.skipIf(!existsSync(CHROMIUM))(
  `a page in ${CHROMIUM} (skipped where there is none)`,
  () => {
    beforeAll(start);
    afterAll(async () => {
      await browser?.close();
      await programs.stop();
      for (const { server } of [allowed, stranger]) {
        server.close();
        server.closeAllConnections();
      }
    });

    it("that is allowed reads, writes, and never gets an overwritten value", async () => {
      const page = await open(allowed.origin);
      const key = `${programs.region}/cache/held`;
      expect(await statusOf(page, "PUT", `${key}?ttl=1h`, "one")).toBe(200);
      expect(await ask(page, "GET", key)).toEqual([200, "one"]);
      await fetch(`${key}?ttl=1h`, { method: "PUT", body: "two" });
      expect(await ask(page, "GET", key)).toEqual([200, "two"]);
      expect(await statusOf(page, "GET", `${programs.directory}/nodes`)).toBe(200);
    });

    it("that is not allowed gets only that refusal, and changes nothing", async () => {
      const page = await open(stranger.origin);
      await fetch(`${programs.region}/cache/kept`, { method: "PUT", body: "kept" });
      for (const [method, url] of [
        ["GET", `${programs.region}/cache/kept`],
        ["PUT", `${programs.region}/cache/kept`],
        ["DELETE", `${programs.region}/cache/kept`],
        ["GET", `${programs.region}/keys`],
        ["GET", `${programs.directory}/status`],
      ] as const) {
        const body = method === "PUT" ? "taken" : undefined;
        expect(await ask(page, method, url, body)).toEqual([403, "ORIGIN_NOT_ALLOWED"]);
      }
      expect(await (await fetch(`${programs.region}/cache/kept`)).text()).toBe("kept");
    });

    it("uses the client of a Vite bundle: reads, writes, watches, and keeps values, over WebSockets", async () => {
      const [title, said] = await useClient();
      expect(scripts.size).toBeGreaterThan(2);
      expect([title, said]).toEqual(["done", said]);
      expect(JSON.parse(said)).toEqual({
        found: [{ name: "Ada" }, [0, 255], null],
        seen: { event: "set", key: "page:c", value: "seen" },
        last: { event: "delete", key: "page:c" },
        transports: ["websocket", "websocket"],
      });
    });

    it("opens no link to the directory, allowed or not", async () => {
      const link = `${programs.directory.replace("http", "ws")}/replicate`;
      for (const { origin } of [allowed, stranger]) {
        const page = await open(origin);
        const heard = page.evaluate(
          `new Promise((resolve) => {
          const socket = new WebSocket(${JSON.stringify(link)});
          socket.onopen = () => resolve("open");
          socket.onerror = () => resolve("refused");
        })`,
        );
        expect(await heard).toBe("refused");
      }
    });

    it("that is stored as a value runs no script", async () => {
      const url = `${programs.region}/cache/page`;
      const body = "<title>stored</title><script>document.title = 'ran'</script>";
      await fetch(url, { method: "PUT", headers: { "Content-Type": "text/html" }, body });
      const page = await open(url);
      expect(await page.title()).toBe("stored");
      expect(await page.content()).toContain("document.title = 'ran'");
    });
  },
);
