import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

import {
  consoleRouteOf,
  consoleRoutes,
  Exchange,
  OriginPolicy,
  routedApp,
  StaticFiles,
  type AnswerStyle,
  type RoutedApp,
} from "@meridian/http";
import { silentLogger } from "@meridian/runtime";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";

const style: AnswerStyle = {
  origins: new OriginPolicy([], []),
  headers: () => ["Cache-Control", "no-store"],
};
const CODE = `console.log("${"meridian ".repeat(100)}");`;

function appOf(served: string | undefined): RoutedApp {
  return routedApp({
    routes: consoleRoutes({ program: "region", folder: served }),
    routeOf: (path) => consoleRouteOf(path) ?? path,
    style,
    exchange: (carrier) => new Exchange(style, carrier),
    logger: silentLogger,
  });
}

let parent: string;
let folder: string;
let app: RoutedApp;
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), "meridian-console-"));
  folder = join(parent, "page");
  mkdirSync(join(folder, "console"), { recursive: true });
  const page = '<meta name="meridian-program" content="unknown" /><p>page';
  writeFileSync(join(folder, "index.html"), page);
  writeFileSync(join(folder, "console/index-Ab12.js"), CODE);
  writeFileSync(join(folder, "licenses.md"), "MIT");
  app = appOf(folder);
});
afterAll(() => rmSync(parent, { recursive: true }));

const browser = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

describe("the console", () => {
  it("is a page for browsers that says of which program it is, and may run no code but files of its program", async () => {
    const answer = await app.request("/", { headers: browser });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('name="meridian-program" content="region"');
    expect(answer.headers.get("cache-control")).toBe("no-cache");
    const policy = answer.headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(policy).not.toContain("unsafe");
    const etag = answer.headers.get("etag") ?? "";
    const again = await app.request("/", { headers: { ...browser, "if-none-match": etag } });
    expect(again.status).toBe(304);
  });

  it.each([undefined, "*/*", "application/json"])(
    "is not what others get at `/`, who accept %s",
    async (accept) => {
      const answer = await app.request("/", accept === undefined ? {} : { headers: { accept } });
      expect(answer.status).toBe(404);
      expect(await answer.json()).toMatchObject({
        code: "ROUTE_NOT_FOUND",
        detail: expect.stringContaining("/docs") as string,
      });
    },
  );

  it("has files that browsers keep, and get compressed", async () => {
    const path = "/console/index-Ab12.js";
    const plain = await app.request(path);
    expect([plain.status, await plain.text()]).toEqual([200, CODE]);
    expect(plain.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    const packed = await app.request(path, { headers: { "accept-encoding": "br, gzip" } });
    expect(packed.headers.get("content-encoding")).toBe("gzip");
    expect(packed.headers.get("vary")).toBe("Accept-Encoding");
    expect(packed.headers.get("etag")).not.toBe(plain.headers.get("etag"));
    const bytes = new Uint8Array(await packed.arrayBuffer());
    expect(gunzipSync(bytes).toString()).toBe(CODE);
  });

  it.each([
    "/console/",
    "/console/none.js",
    "/console/../licenses.md",
    "/console/%2e%2e/index.html",
  ])("has nothing else: %s", async (path) => {
    const answer = await app.request(path, { headers: browser });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ code: "ROUTE_NOT_FOUND" });
  });
});

describe("a console", () => {
  it("that is not built is there once it is, and says so before", async () => {
    const elsewhere = join(parent, "later");
    const late = appOf(elsewhere);
    const before = await late.request("/", { headers: browser });
    expect(before.status).toBe(404);
    expect(await before.text()).toContain("npm run build");
    renameSync(folder, elsewhere);
    expect((await late.request("/", { headers: browser })).status).toBe(200);
    renameSync(elsewhere, folder);
  });

  it("that is half built is not kept, and is read by all requests at once", async () => {
    const half = join(parent, "half");
    mkdirSync(half);
    writeFileSync(join(half, "licenses.md"), "MIT");
    const early = appOf(half);
    const before = await early.request("/", { headers: browser });
    expect([before.status, (await before.text()).includes("npm run build")]).toEqual([404, true]);
    writeFileSync(join(half, "index.html"), "<p>page");
    const read = vi.spyOn(StaticFiles, "read");
    onTestFinished(() => read.mockRestore());
    const answers = await Promise.all(
      Array.from({ length: 5 }, async () => early.request("/", { headers: browser })),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(read).toHaveBeenCalledTimes(1);
  });

  it("that cannot be read says why, and is read anew when it can be", async () => {
    const broken = join(parent, "broken");
    writeFileSync(broken, "no folder");
    const app = appOf(broken);
    const before = await app.request("/", { headers: browser });
    expect([before.status, await before.text()]).toEqual([
      404,
      expect.stringContaining("ENOTDIR") as string,
    ]);
    rmSync(broken);
    mkdirSync(broken);
    writeFileSync(join(broken, "index.html"), "<p>page");
    expect((await app.request("/", { headers: browser })).status).toBe(200);
  });

  it("that is switched off says so", async () => {
    const answer = await appOf(undefined).request("/", { headers: browser });
    expect([answer.status, (await answer.text()).includes("--no-console")]).toEqual([404, true]);
  });
});
