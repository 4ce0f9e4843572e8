import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { silentLogger } from "@meridian/runtime";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import {
  Exchange,
  OriginPolicy,
  routedApp,
  StaticFiles,
  type AnswerStyle,
  type RoutedApp,
} from "@meridian/http";

const style: AnswerStyle = { origins: new OriginPolicy([], []), headers: () => [] };

let folder: string;
let app: RoutedApp;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "meridian-static-"));
  writeFileSync(join(folder, "secret"), "secret");
  const served = join(folder, "served");
  mkdirSync(join(served, "deep", "er"), { recursive: true });
  writeFileSync(join(served, "index.html"), "<p>home");
  writeFileSync(join(served, "deep", "er", "app.js"), "1");
  writeFileSync(join(served, "with space"), "2");
  symlinkSync(join(folder, "secret"), join(served, "link"));
  const files = await StaticFiles.read(served);
  app = routedApp({
    routes: { "/": { GET: (exchange) => files.answer(exchange, exchange.path.slice(1)) } },
    routeOf: () => "/",
    style,
    exchange: (carrier) => new Exchange(style, carrier),
    logger: silentLogger,
  });
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("static files", () => {
  it.each([
    ["/", "<p>home", "text/html; charset=utf-8"],
    ["/index.html", "<p>home", "text/html; charset=utf-8"],
    ["/deep/er/app.js", "1", "text/javascript; charset=utf-8"],
    ["/with%20space", "2", "application/octet-stream"],
  ])("%s is served as it is", async (path, content, type) => {
    const answer = await app.request(path);
    expect([answer.status, await answer.text()]).toEqual([200, content]);
    expect(answer.headers.get("content-type")).toBe(type);
    expect(answer.headers.get("content-length")).toBe(String(content.length));
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    const etag = answer.headers.get("etag") ?? "";
    const again = await app.request(path, { headers: { "if-none-match": `"x", W/${etag}` } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    const other = await app.request(path, { headers: { "if-none-match": '"x"' } });
    expect(other.status).toBe(200);
  });

  it.each([
    "/../secret",
    "/%2e%2e/secret",
    "/..%2fsecret",
    "/deep/%2e%2e/%2e%2e/secret",
    "/link",
    "/deep",
    "/deep/",
    "//secret",
    "/index.html%00",
    "/C:%5Csecret",
  ])("%s leads nowhere", async (path) => {
    const answer = await app.request(path);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ code: "ROUTE_NOT_FOUND" });
  });

  it("a bad escape, an option and another method are refused", async () => {
    expect((await app.request("/%ff")).status).toBe(400);
    expect((await app.request("/?a=1")).status).toBe(400);
    expect((await app.request("/", { method: "POST" })).status).toBe(405);
  });

  it("a folder that is not there, or holds too much, is refused", async () => {
    const refusal = { code: "INVALID_CONFIG" };
    await expect(StaticFiles.read(join(folder, "nowhere"))).rejects.toMatchObject(refusal);
    await expect(StaticFiles.read(join(folder, "served"), { bytesMax: 8 })).rejects.toMatchObject(
      refusal,
    );
  });
});
