/** Nodes that answer otherwise than a region does, or not at all, to what a directory hands on to them. */
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startDirectory, type RunningDirectory } from "@meridian/directory";
import { askProgram, isOwnAddress, Turnstile } from "@meridian/http";
import { MeridianError, type Problem } from "@meridian/protocol";
import { routesOf, VIEW_API, VIEW_PREFIX } from "@meridian/protocol/http-api";
import { Metrics, systemClock } from "@meridian/runtime";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { viewPathOf, viewRouteOf } from "../src/views/view-paths.ts";
import { FakeNode, start } from "./running.ts";

const MEBIBYTE = 1024 * 1024;

/** A server that answers every request with `listener`, and its requests. */
async function serverOf(
  listener: RequestListener,
): Promise<{ readonly url: string; readonly seen: string[] }> {
  const seen: string[] = [];
  const server: Server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? "no token"}`);
    listener(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

let directory: RunningDirectory;
const data = mkdtempSync(join(tmpdir(), "meridian-views-"));
beforeAll(async () => {
  directory = await startDirectory({ cluster: "test", port: 0, data, durability: "process" });
});
afterAll(async () => {
  await directory.stop();
  rmSync(data, { recursive: true });
});

let nodes = 0;

/** Registers a node that is reached at `url`, and returns the beginning of its views. */
async function viewOf(url: string, { url: base } = directory): Promise<string> {
  nodes += 1;
  const id = `mallory-${nodes}`;
  const node = new FakeNode(base, id, 10 + nodes, url);
  await node.received("welcome");
  onTestFinished(() => node.close());
  return `${base}/nodes/${id}/view`;
}

async function problemAt(url: string, init: RequestInit = {}): Promise<Problem> {
  const response = await fetch(url, init);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  return (await response.json()) as Problem;
}

const OTHERS: Readonly<Record<string, RequestListener>> = {
  "a page": (_, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<script>alert(1)</script>");
  },
  "JSON of another program": (_, response) => {
    response.setHeader("content-type", "application/json");
    response.end('{"AccessKeyId":"secret"}');
  },
  "JSON that is cut short": (_, response) => {
    response.setHeader("content-type", "application/json");
    response.end('{"keys":[');
  },
  "an answer without a type": (_, response) => response.end('{"keys":[],"next":null}'),
  "a failure without a problem": (_, response) => response.writeHead(500).end("secret"),
  "a failure of its own": (_, response) => {
    response.writeHead(500, { "content-type": "application/problem+json" });
    const told = { type: "about:blank", title: "secret", status: 500, retryable: true };
    response.end(JSON.stringify({ ...told, code: "INTERNAL", detail: "broken" }));
  },
};

describe("a node that is asked for a view", () => {
  it.each(Object.entries(OTHERS))("and answers %s is told of by a code", async (_, listener) => {
    const { url } = await serverOf(listener);
    const view = await viewOf(url);
    const { code, status, detail } = await problemAt(`${view}/keys`);
    expect([code, status]).toEqual(["NODE_ANSWER_INVALID", 502]);
    expect(detail).not.toMatch(/secret|script/);
  });

  it("and sends on to another address is not followed", async () => {
    const inner = await serverOf((_, response) => response.end("inside"));
    const { url } = await serverOf((_, response) => {
      response.writeHead(307, { location: `${inner.url}/status` }).end();
    });
    const view = await viewOf(url);
    const { code } = await problemAt(`${view}/status`);
    expect(code).toBe("NODE_ANSWER_INVALID");
    expect(inner.seen).toEqual([]);
  });

  it("and sends 100 MB is read to the bound and no further", async () => {
    let sent = 0;
    const { url } = await serverOf((_, response) => {
      response.setHeader("content-type", "application/json");
      const piece = Buffer.alloc(MEBIBYTE, " ");
      const more = (): void => {
        if (response.destroyed || sent >= 100) return;
        sent += 1;
        response.write(piece, more);
      };
      more();
    });
    const view = await viewOf(url);
    const { code } = await problemAt(`${view}/keys`);
    expect(code).toBe("NODE_ANSWER_INVALID");
    expect(sent).toBeLessThan(50);
  });

  it("and ends the connection within its answer is unreachable", async () => {
    const { url } = await serverOf((_, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
      response.write('{"keys"', () => response.destroy());
    });
    const view = await viewOf(url);
    const { code, status } = await problemAt(`${view}/keys`);
    expect([code, status]).toEqual(["NODE_UNREACHABLE", 504]);
  });
});

describe("a node that lets others wait", () => {
  it("and never answers, or never ends, is given up at the deadline", async () => {
    const { url: silent } = await serverOf(() => {});
    const { url: slow } = await serverOf((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const timer = setInterval(() => response.write(" "), 5);
      response.on("close", () => clearInterval(timer));
    });
    for (const origin of [silent, slow]) {
      const how = { trust: {}, isHere: true, method: "GET", target: "/status", headers: {} };
      const asked = { who: "x", origin, ...how };
      const said = { code: "NODE_UNREACHABLE", message: expect.stringContaining("within 50 ms") };
      await expect(askProgram(asked, systemClock, 50)).rejects.toMatchObject(said);
    }
  });

  it("and where nothing listens is unreachable", async () => {
    const view = await viewOf("http://127.0.0.1:1");
    expect((await problemAt(`${view}/status`)).code).toBe("NODE_UNREACHABLE");
    const gone = await problemAt(`${directory.url}/nodes/nobody/view/status`);
    expect(gone.code).toBe("NODE_NOT_FOUND");
  });
});

describe("what is handed on to a node", () => {
  it("has no token of a cluster that asks for none, nothing beside the options of a route, and no path but its own", async () => {
    const page = JSON.stringify({ keys: [], next: null });
    const { url, seen } = await serverOf((_, response) => {
      response.setHeader("content-type", "application/json");
      response.end(page);
    });
    const view = await viewOf(url);
    const headers = { authorization: "Bearer a.b.c", cookie: "c=1" };
    const answer = await fetch(`${view}/keys?prefix=a%20b%2F..&limit=2`, { headers });
    expect(await answer.json()).toEqual(JSON.parse(page));
    expect(seen).toEqual(["GET /keys?prefix=a+b%2F..&limit=2 no token"]);
    expect((await problemAt(`${view}/keys?admin=1`)).code).toBe("UNKNOWN_OPTION");
    for (const path of ["/metrics", "/backup", "/revocations", "/keys/..", "/replicate"]) {
      expect((await problemAt(view + path)).code).toBe("ROUTE_NOT_FOUND");
    }
    expect((await problemAt(`${view}/keys`, { method: "DELETE" })).code).toBe("METHOD_NOT_ALLOWED");
    expect(seen).toHaveLength(1);
  });

  it("changes nothing for who has no token where others than this machine can ask", async () => {
    const { url, seen } = await serverOf((_, response) => response.end());
    const open = { host: "0.0.0.0", insecureNoTokens: true, insecureNoTls: true };
    const view = await viewOf(url, await start(open));
    for (const route of routesOf(VIEW_API)) {
      if (route.method === "GET") continue;
      const path = route.path.slice(VIEW_PREFIX.length).replace(/\{\w+\}/, "1");
      const { code } = await problemAt(view + path, { method: route.method });
      expect([path, code]).toEqual([path, "FORBIDDEN"]);
    }
    expect(seen).toEqual([]);
  });
});

describe("an address of the directory's own machine or link", () => {
  it.each([
    ["listens there", { host: "0.0.0.0", insecureNoTokens: true, insecureNoTls: true }],
    ["is behind a proxy", { allowHost: ["meridian.example"] }],
  ])("is not asked by one that other machines reach, as it %s", async (_, given) => {
    const { url, seen } = await serverOf((__, response) => response.end());
    const { port } = new URL(url);
    const other = await start(given);
    const hosts = ["127.0.0.1", "127.9.9.9", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"];
    for (const host of [...hosts, "169.254.169.254", "[fe80::1]"]) {
      const view = await viewOf(`http://${host}:${port}`, other);
      const { code, detail } = await problemAt(`${view}/status`);
      expect([host, code]).toEqual([host, "NODE_UNREACHABLE"]);
      expect(detail).toContain("asks no program of its own machine or link");
      const stream = await (await fetch(`${view}/watch?key=k`)).text();
      expect(stream).toContain("asks no program of its own machine or link");
    }
    const trouble = await (await fetch(`${other.url}/trouble`)).text();
    expect(trouble).toContain("asks no program of its own machine or link");
    expect(seen).toEqual([]);
  });

  it.each(["10.0.0.1", "192.168.1.1", "8.8.8.8", "fd00::1", "2001:db8::1"])(
    "is not %s",
    (address) => {
      expect(isOwnAddress(address)).toBe(false);
    },
  );
});

describe("a directory that is followed", () => {
  it("is asked how it stands, and no other address is", async () => {
    const other = await start({ id: "second", lat: 1.5, lon: 2.5 });
    const { url } = await start({ peer: [other.url] });
    const view = `${url}/peers/${encodeURIComponent(other.url)}/view`;
    expect(await (await fetch(`${view}/status`)).json()).toMatchObject({ id: "second", lat: 1.5 });
    expect((await problemAt(`${view}/nodes`)).code).toBe("ROUTE_NOT_FOUND");
    const elsewhere = encodeURIComponent(directory.url);
    const refused = await problemAt(`${url}/peers/${elsewhere}/view/status`);
    expect(refused).toMatchObject({ code: "NODE_NOT_FOUND", status: 404 });
    await other.stop();
    const silent = await problemAt(`${view}/status`);
    expect(silent.code).toBe("NODE_UNREACHABLE");
    expect(silent.detail).toContain(`the directory \`${other.url}\``);
  });
});

describe("a stream of a node", () => {
  async function told(listener: RequestListener): Promise<string> {
    const { url } = await serverOf(listener);
    const view = await viewOf(url);
    return (await fetch(`${view}/watch?key=k`)).text();
  }

  it("is handed on event by event, and its end is told", async () => {
    const text = await told((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("retry: 1000\n\nid: c1.1.1\n\n:\n\nevent: set\ndata: {");
      response.end('"key":"k"}\n\n');
    });
    expect(text).toContain('event: set\ndata: {"key":"k"}\n\n');
    expect(text).toContain('"code":"NODE_UNREACHABLE"');
    expect(text).not.toContain("c1.1.1");
  });

  it("takes no room for who asks for its head alone", async () => {
    const { url } = await serverOf((_, response) => response.end());
    const view = `${await viewOf(url)}/watch?key=k`;
    for (let asked = 0; asked < 20; asked += 1) {
      expect((await fetch(view, { method: "HEAD" })).status).toBe(200);
    }
    expect((await fetch(view)).status).toBe(200);
  });

  it.each<[string, RequestListener]>([
    ["a page", (_, response) => response.end("<p>")],
    ["a redirection", (_, response) => response.writeHead(302, { location: "/x" }).end()],
    [
      "events of another kind",
      (_, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write("data: secret\n\n");
      },
    ],
    [
      "an event without an end",
      (_, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write(`event: set\ndata: "${"a".repeat(MEBIBYTE)}`);
      },
    ],
    [
      "more than anybody reads",
      (_, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        const event = `event: set\ndata: "${"a".repeat(200_000)}"\n\n`;
        const more = (): void => void (response.destroyed || response.write(event, more));
        more();
      },
    ],
  ])("of %s ends with a code", async (_, listener) => {
    const text = await told(listener);
    expect(text).toContain("event: problem\ndata: {");
    expect(text).toContain('"code":"NODE_ANSWER_INVALID"');
    expect(text).not.toContain("secret");
  });
});

describe("the path of a request that is handed on", () => {
  it.each([
    ["/nodes/a/view/cache/a%2Fb", "/cache/a%2Fb"],
    ["/nodes/a/view/cache/..", "/cache/%2E%2E"],
    ["/nodes/a/view/cache/../../status", "/cache/%2E%2E%2F%2E%2E%2Fstatus"],
    ["/nodes/a/view/quarantine/..%2F7", "/quarantine/%2E%2E%2F7"],
    ["/nodes/a/view/quarantine/7/replay", "/quarantine/7/replay"],
    ["/nodes/%61/view/status", "/status"],
  ])("%s leads to %s", (path, target) => {
    expect(viewPathOf(path)).toEqual({ kind: "node", id: "a", target });
  });

  it("names a directory by its URL", () => {
    const path = "/peers/http%3A%2F%2Fa%3A7400/view/status";
    const id = "http://a:7400";
    expect(viewPathOf(path)).toEqual({ kind: "directory", id, target: "/status" });
    expect(viewRouteOf(path)).toBe("/peers/{peer}/view/status");
  });

  it("is found among the routes, or is none", () => {
    expect(viewRouteOf("/nodes/a/view/cache/x/y")).toBe("/nodes/{id}/view/cache/{key}");
    expect(viewRouteOf("/nodes/a/view/quarantine/1/replay")).toBe(
      "/nodes/{id}/view/quarantine/{entry}/replay",
    );
    for (const path of ["/nodes/a", "/nodes/a/view", "/nodes/a/view/", "/nodes//view/status"]) {
      expect(viewRouteOf(path)).toBe(undefined);
    }
  });
});

it("no client, and not all together, have more under way than there is room for", () => {
  const metrics = new Metrics();
  const asked = new Turnstile({ name: "views", what: "views", max: 3, perClientMax: 2, metrics });
  const leave = asked.enter("a");
  asked.enter("a");
  expect(() => asked.enter("a")).toThrow(MeridianError);
  const other = asked.enter("b");
  expect(() => asked.enter("c")).toThrow("Expected at most 3 views, got 4");
  leave();
  leave();
  expect(metrics.levels()).toEqual([{ name: "views", now: 2, max: 3 }]);
  asked.enter("a");
  other();
  expect(metrics.levels()[0]?.now).toBe(2);
});
