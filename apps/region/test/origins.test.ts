import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { parseFlags } from "@meridian/cluster-file";
import { OriginPolicy } from "@meridian/http";
import { parseOrigins } from "@meridian/protocol";

import {
  exchangeBytes,
  headerOf,
  jsonOf,
  parseAnswer,
  testNode,
  type TestNode,
} from "./harness.ts";

const APP = "https://app.example.com";
const STRANGER = "https://evil.example.com";

let region: TestNode;
beforeAll(async () => {
  region = await testNode({ allowOrigin: [APP] });
});
afterAll(() => region.close());

/** A page that the policy names, one of the node itself, and one of the node itself under its other name. */
const ALLOWED = [APP, "http://127.0.0.1:7401", "http://localhost:7401"];
const STRANGERS = [
  STRANGER,
  "null",
  `${APP}.evil.com`,
  `${APP}, ${STRANGER}`,
  "",
  "https://127.0.0.1:7401",
];

/** Every route, with the body it takes. */
const bodies: Readonly<Record<string, string>> = {
  "PUT /cache/": "x",
  "POST /batch/get": '{"keys":["a"]}',
  "POST /batch/has": '{"keys":["a"]}',
  "POST /batch/delete": '{"keys":["none"]}',
  "POST /batch/set": '{"entries":[{"key":"a","value":"x"}]}',
};
const targets: Readonly<Record<string, string>> = {
  "/cache/": "/cache/a",
  "/cache": "/cache?key=a",
  "/touch": "/touch?key=a&ttl=1h",
  "/pull": "/pull?key=none",
  "/lease": "/lease?key=a",
};

function routesOf(node: TestNode): readonly (readonly [method: string, path: string])[] {
  return node.app.routes.map(({ method, path }) => [method, path]);
}

function ask(node: TestNode, method: string, path: string, origin?: string): Promise<Response> {
  const body = bodies[`${method} ${path}`];
  const target = targets[path] ?? path;
  const headers = origin === undefined ? {} : { origin };
  return node.request(target, { method, headers, ...(body !== undefined && { body }) });
}

describe("every route", () => {
  it("refuses pages that are not allowed, who learn nothing but that, and changes nothing", async () => {
    await region.request("/cache/a", { method: "PUT", body: "before" });
    const routes = routesOf(region);
    expect(routes.length).toBeGreaterThan(15);
    for (const [method, path] of routes) {
      for (const origin of STRANGERS) {
        const answer = await ask(region, method, path, origin);
        expect([method, path, origin, answer.status]).toEqual([method, path, origin, 403]);
        expect(Object.fromEntries(answer.headers)).toEqual({
          "content-type": "application/problem+json",
          "content-length": expect.any(String),
          "cache-control": "no-store",
          "access-control-allow-origin": "*",
        });
        expect(await jsonOf(answer)).toMatchObject({
          code: "ORIGIN_NOT_ALLOWED",
          retryable: false,
        });
      }
    }
    expect(await (await region.request("/cache/a")).text()).toBe("before");
  });

  it("answers allowed pages, which may read the answer, and caches tell pages apart", async () => {
    for (const [method, path] of routesOf(region)) {
      for (const origin of ALLOWED) {
        const answer = await ask(region, method, path, origin);
        expect([method, path, answer.status]).not.toEqual([method, path, 403]);
        expect(headerOf(answer, "vary")).toMatch(/(^|, )Origin$/);
        // Pages of the node itself need no leave to read.
        const named = origin === APP ? APP : null;
        expect(answer.headers.get("access-control-allow-origin")).toBe(named);
        expect(answer.headers.get("access-control-expose-headers")).toBe(named && "*");
      }
    }
  });
});

describe("every route, whoever asks,", () => {
  it("answers whoever names no origin, and lets no page read that", async () => {
    const closed = await testNode();
    for (const node of [region, closed]) {
      for (const [method, path] of routesOf(node)) {
        const answer = await ask(node, method, path);
        expect([method, path, answer.status]).not.toEqual([method, path, 403]);
        expect(answer.headers.has("access-control-allow-origin")).toBe(false);
        expect(/Origin/.test(answer.headers.get("vary") ?? "")).toBe(node === region);
      }
    }
    await closed.close();
  });

  it("answers every page where all are allowed", async () => {
    const open = await testNode({ allowOrigin: "*" });
    for (const [method, path] of routesOf(open)) {
      for (const origin of [...STRANGERS, APP, undefined]) {
        const answer = await ask(open, method, path, origin);
        expect([method, path, answer.status]).not.toEqual([method, path, 403]);
        expect(headerOf(answer, "access-control-allow-origin")).toBe("*");
        expect(headerOf(answer, "access-control-expose-headers")).toBe("*");
      }
    }
    await open.close();
  });

  it("lets every preflight pass: what a page may is said to its request", async () => {
    for (const [method, path] of routesOf(region)) {
      for (const origin of [...STRANGERS, APP]) {
        const headers = { origin, "access-control-request-method": method };
        const target = targets[path] ?? path;
        const answer = await region.request(target, { method: "OPTIONS", headers });
        expect(answer.status).toBe(204);
        expect(headerOf(answer, "access-control-allow-origin")).toBe("*");
        expect(headerOf(answer, "access-control-allow-methods").split(", ")).toContain(method);
        expect(headerOf(answer, "access-control-allow-headers")).toContain("Meridian-Position");
        expect(headerOf(answer, "access-control-allow-headers")).toContain("Content-Type");
      }
    }
  });
});

describe("a stored page", () => {
  it("runs nothing in the name of the node, from wherever it is answered", async () => {
    const headers = { "content-type": "text/html" };
    const body = "<script>fetch('/cache/a',{method:'DELETE'})</script>";
    await region.request("/cache/page", { method: "PUT", headers, body });
    for (const appOnly of [false, true]) {
      const port = await region.serve(appOnly);
      const answer = await fetch(`http://127.0.0.1:${port}/cache/page`);
      expect(await answer.text()).toBe(body);
      expect(headerOf(answer, "x-content-type-options")).toBe("nosniff");
      expect(headerOf(answer, "content-security-policy")).toBe("sandbox; default-src 'none'");
    }
  });
});

describe("a write that is refused over a socket", () => {
  it("is refused before its body has come", async () => {
    const head = `PUT /cache/b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nOrigin: ${STRANGER}\r\n`;
    for (const appOnly of [false, true]) {
      const port = await region.serve(appOnly);
      const bytes = await exchangeBytes(port, `${head}Content-Length: 100\r\n\r\n`);
      expect(parseAnswer(bytes).status).toBe(403);
    }
    expect((await region.request("/cache/b")).status).toBe(404);
  });
});

describe("the origins that a node is given", () => {
  it("are one, several, or all", () => {
    expect(parseOrigins("*")).toBe("*");
    expect(parseOrigins("https://a.example")).toEqual(["https://a.example"]);
    expect(parseOrigins("https://A.example:443/, http://b.example:8080")).toEqual([
      "https://a.example",
      "http://b.example:8080",
    ]);
  });

  it.each([
    "",
    "app.example.com",
    "https://a.example,",
    "https://a.example/app",
    "https://a.example?x",
    "https://user@a.example",
    "https://*.example.com",
    "*,https://a.example",
    "ftp://a.example",
    "null",
  ])("are refused as `%s`", (text) => {
    const argv = ["--id=a", "--lat=1", "--lon=1", "--data=x", `--allow-origin=${text}`];
    expect(() => parseFlags("region", { argv, env: {} })).toThrow(/--allow-origin/);
  });

  it("come from a flag or the environment, and are none by default", () => {
    const argv = ["--id=a", "--lat=1", "--lon=1", "--data=x"];
    const given = { argv, env: { MERIDIAN_ALLOW_ORIGIN: "*" } };
    expect(parseFlags("region", given)).toMatchObject({ values: { allowOrigin: "*" } });
    expect(parseFlags("region", { argv, env: {} })).toMatchObject({
      values: { allowOrigin: null },
    });
  });

  it("need not be among the URLs of the node to be its own", () => {
    const policy = new OriginPolicy([], ["http://[::1]:7401", "https://eu.example.com/base", "?"]);
    expect(policy.allows("http://[::1]:7401")).toBe(true);
    expect(policy.allows("https://eu.example.com")).toBe(true);
    expect(policy.allows("https://example.com")).toBe(false);
  });
});
