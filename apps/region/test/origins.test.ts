import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { OriginPolicy, parseOrigins } from "@meridian/http";

import { parseRegionFlags } from "../src/region-flags.ts";
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

/** Every way to write. */
const writes = [
  ["PUT", "/cache/a", "x"],
  ["DELETE", "/cache/a", undefined],
  ["POST", "/cache?key=a&value=x", undefined],
  ["POST", "/batch/set", '{"entries":[{"key":"a","value":"x"}]}'],
] as const;

function send(
  node: TestNode,
  [method, target, body]: readonly [string, string, string | undefined],
  origin?: string,
): Promise<Response> {
  const headers = origin === undefined ? {} : { origin };
  return node.request(target, { method, headers, ...(body !== undefined && { body }) });
}

describe.each(writes)("%s %s", (...write) => {
  it("of a page whose origin is not allowed is refused, and changes nothing", async () => {
    await region.request("/cache/a", { method: "PUT", body: "before" });
    for (const origin of [STRANGER, "null", `${APP}.evil.com`, `${APP}, ${STRANGER}`, ""]) {
      const answer = await send(region, write, origin);
      expect(answer.status).toBe(403);
      expect(await jsonOf(answer)).toMatchObject({ code: "ORIGIN_NOT_ALLOWED", retryable: false });
      // The page may know why.
      expect(headerOf(answer, "access-control-allow-origin")).toBe("*");
    }
    expect(await (await region.request("/cache/a")).text()).toBe("before");
  });

  it("of an allowed page is done, and its answer can be read", async () => {
    const answer = await send(region, write, APP);
    expect(answer.status).toBe(200);
    expect(headerOf(answer, "access-control-allow-origin")).toBe("*");
  });

  it("of the node's own page, or of no page at all, is done", async () => {
    for (const origin of ["http://127.0.0.1:7401", "http://localhost:7401", undefined]) {
      expect((await send(region, write, origin)).status).toBe(200);
    }
    for (const origin of ["https://127.0.0.1:7401", "http://127.0.0.1:7402"]) {
      expect((await send(region, write, origin)).status).toBe(403);
    }
  });
});

describe("a page of any origin", () => {
  it("may read, many keys at once too", async () => {
    await region.request("/cache/a", { method: "PUT", body: "x" });
    const reads = [
      ["GET", "/cache/a", undefined],
      ["HEAD", "/cache/a", undefined],
      ["GET", "/cache?key=a", undefined],
      ["GET", "/keys", undefined],
      ["GET", "/status", undefined],
      ["POST", "/batch/get", '{"keys":["a"]}'],
    ] as const;
    for (const read of reads) {
      const answer = await send(region, read, STRANGER);
      expect(answer.status).toBe(200);
      expect(headerOf(answer, "access-control-allow-origin")).toBe("*");
      expect(headerOf(answer, "access-control-expose-headers")).toBe("*");
    }
  });

  it("is refused on every route that is not known to read", async () => {
    const { routes } = region.node.app;
    const reading = (method: string, path: string): boolean =>
      method === "GET" || path === "/batch/get";
    const others = routes.filter(({ method, path }) => !reading(method, path));
    expect(others.length).toBeGreaterThanOrEqual(writes.length);
    for (const { method, path } of others) {
      expect((await send(region, [method, path, undefined], STRANGER)).status).toBe(403);
    }
  });
});

describe("a preflight", () => {
  const ask = async (target: string, origin?: string): Promise<unknown> => {
    const headers = origin === undefined ? {} : { origin };
    const answer = await region.request(target, { method: "OPTIONS", headers });
    expect(answer.status).toBe(204);
    expect(headerOf(answer, "vary")).toBe("Origin");
    expect(headerOf(answer, "access-control-allow-origin")).toBe("*");
    const methods = answer.headers.get("access-control-allow-methods");
    return [methods, answer.headers.get("access-control-allow-headers")];
  };
  const reading = "If-None-Match, Meridian-Position, Meridian-Wait-Ms";
  const writing = `Content-Type, If-Match, ${reading}`;

  it("lets an allowed page write", async () => {
    expect(await ask("/cache/a", APP)).toEqual(["GET, HEAD, PUT, DELETE", writing]);
    expect(await ask("/cache", APP)).toEqual(["GET, HEAD, POST", writing]);
    expect(await ask("/batch/set", APP)).toEqual(["POST", writing]);
  });

  it("lets every other page read only", async () => {
    for (const origin of [STRANGER, "null", undefined]) {
      expect(await ask("/cache/a", origin)).toEqual(["GET, HEAD", reading]);
      expect(await ask("/cache", origin)).toEqual(["GET, HEAD", reading]);
      expect(await ask("/batch/set", origin)).toEqual([null, null]);
      expect(await ask("/batch/get", origin)).toEqual(["POST", writing]);
    }
  });
});

describe("a node that allows every origin", () => {
  it("takes writes from every page", async () => {
    const open = await testNode({ allowOrigin: "*" });
    for (const origin of [STRANGER, "null"]) {
      for (const write of writes) expect((await send(open, write, origin)).status).toBe(200);
    }
    await open.close();
  });
});

describe("a write that is refused over a socket", () => {
  it("is refused before its body has come", async () => {
    const head = `PUT /cache/b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: ${STRANGER}\r\n`;
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
    expect(() => parseRegionFlags({ argv, env: {} })).toThrow(/--allow-origin/);
  });

  it("come from a flag or the environment, and are none by default", () => {
    const argv = ["--id=a", "--lat=1", "--lon=1", "--data=x"];
    const given = { argv, env: { MERIDIAN_ALLOW_ORIGIN: "*" } };
    expect(parseRegionFlags(given)).toMatchObject({ values: { allowOrigin: "*" } });
    expect(parseRegionFlags({ argv, env: {} })).toMatchObject({ values: { allowOrigin: null } });
  });

  it("need not be among the URLs of the node to be its own", () => {
    const policy = new OriginPolicy([], ["http://[::1]:7401", "https://eu.example.com/base", "?"]);
    expect(policy.allows("http://[::1]:7401")).toBe(true);
    expect(policy.allows("https://eu.example.com")).toBe(true);
    expect(policy.allows("https://example.com")).toBe(false);
  });
});
