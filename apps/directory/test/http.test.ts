import { describe, expect, it } from "vitest";

import { MeridianError } from "@meridian/protocol";
import { DIRECTORY_API, routesOf } from "@meridian/protocol/http-api";

import { createApp } from "../src/http/app.ts";
import { absent, memberOf } from "./members.ts";
import { CITIES, get, idsNear, nearestOf, PARIS, problemAt, serviceOf } from "./service.ts";

const LOAD = { entries: 1, bytes: 1, requestsPerSecond: 1 };

it("every request that is answered stands in the table of the API, or is of a page that anybody may read", () => {
  const pages = ["/", "/console/{file}", "/docs", "/docs.css", "/openapi.json"];
  const { routes } = createApp(serviceOf(CITIES));
  const listed = routesOf(DIRECTORY_API).map(({ method, path }) => `${method} ${path}`);
  const both = [...listed, ...pages.map((path) => `GET ${path}`)];
  expect(routes.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual(both.toSorted());
});

describe("GET /nearest", () => {
  it("gives the ready nodes, nearest first, with all that a client needs", async () => {
    const response = await get(`/nearest?${PARIS}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    const { nodes } = (await response.json()) as { nodes: Record<string, unknown>[] };
    expect(nodes.map((node) => node["id"])).toEqual(["frankfurt", "virginia", "tokyo"]);
    expect(nodes[0]).toEqual({
      id: "frankfurt",
      region: "eu-central",
      url: "http://10.0.0.1:7401",
      ip: "10.0.0.1",
      port: 7401,
      lat: 50.11,
      lon: 8.68,
      distanceMeters: 478_284,
      status: "ready",
      lagMs: 3,
      load: { entries: 10, bytes: 1_000, requestsPerSecond: 1.5 },
    });
  });

  it("takes a limit and leaves out the excluded", async () => {
    expect(await idsNear(`${PARIS}&limit=1`)).toEqual(["frankfurt"]);
    expect(await idsNear(`${PARIS}&limit=100`)).toHaveLength(4);
    expect(await idsNear(`${PARIS}&exclude=frankfurt,tokyo`)).toEqual(["virginia", "sydney"]);
    expect(await idsNear(`${PARIS}&exclude=`)).toHaveLength(3);
  });

  it("offers only nodes that are ready and whose lag is under the bound", async () => {
    const members = [
      ...(["joining", "syncing", "standalone", "draining"] as const).map((status) =>
        memberOf({ id: status, status }),
      ),
      memberOf({ id: "lagging", lagMs: 10_000 }),
      memberOf({ id: "refusing", load: { ...LOAD, refusing: true } }),
      memberOf({ id: "almost", lagMs: 9_999, lat: 80 }),
    ];
    expect(await idsNear("lat=0&lon=0", members)).toEqual(["almost"]);
  });

  it("is answered the same by the short path beside the router", async () => {
    const service = serviceOf(CITIES);
    for (const search of [
      PARIS,
      `${PARIS}&limit=2&exclude=tokyo`,
      "lat=0",
      "",
      "lat=0&lon=0&x=1",
    ]) {
      const short = nearestOf(service, search);
      const routed = await createApp(service).request(`/nearest?${search}`);
      expect(short.status).toBe(routed.status);
      expect(short.body).toBe(await routed.text());
      const headers = new Headers();
      for (let at = 0; at < short.headers.length; at += 2) {
        headers.set(short.headers[at] ?? "", short.headers[at + 1] ?? "");
      }
      expect([...headers]).toEqual([...routed.headers]);
    }
  });
});

describe("GET /nearest refuses", () => {
  it("when no node is ready, and says when to ask again", async () => {
    const excluded = CITIES.map(({ id }) => id).join(",");
    for (const [path, members] of [
      [`/nearest?${PARIS}`, []],
      [`/nearest?${PARIS}`, [memberOf({ id: "new", status: "joining" })]],
      [`/nearest?${PARIS}&exclude=${excluded}`, CITIES],
    ] as const) {
      const { response, problem } = await problemAt(path, members);
      expect(problem).toMatchObject({ code: "NO_READY_NODE", retryable: true, status: 503 });
      expect(response.headers.get("retry-after")).toBe("1");
    }
  });

  it.each([
    ["lon=0", "INVALID_COORDINATES"],
    ["lat=97.2&lon=0", "INVALID_COORDINATES"],
    ["lat=0&lon=east", "INVALID_COORDINATES"],
    ["lat=&lon=0", "INVALID_COORDINATES"],
    ["lat=0x10&lon=0", "INVALID_COORDINATES"],
    ["lat=0&lon=0&limit=0", "INVALID_ARGUMENT"],
    ["lat=0&lon=0&limit=101", "INVALID_ARGUMENT"],
    ["lat=0&lon=0&limit=1.5", "INVALID_ARGUMENT"],
    ["lat=0&lon=0&limit=", "INVALID_ARGUMENT"],
    ["lat=0&lon=0&lat=1", "INVALID_ARGUMENT"],
    ["lat=0&lon=0&exclude=a;b", "INVALID_ARGUMENT"],
    ["lat=0&lon=0&exclude=a,,b", "INVALID_ARGUMENT"],
    ["lat=0&lng=0", "UNKNOWN_OPTION"],
  ])("?%s with %s", async (query, expected) => {
    const { problem } = await problemAt(`/nearest?${query}`);
    expect(problem).toMatchObject({ code: expected, status: 400 });
  });

  it("an unknown option by its name, and says which are known", async () => {
    const { problem } = await problemAt("/nearest?lat=0&lng=0");
    expect(problem).toMatchObject({
      detail: "Expected only `lat`, `lon`, `limit`, `exclude`, got `lng`",
      option: "lng",
      known: ["lat", "lon", "limit", "exclude"],
    });
  });
});

describe("/nodes", () => {
  it("gives every registered node by id, whatever its status", async () => {
    const members = [
      memberOf({ id: "b", status: "syncing" }),
      memberOf({ id: "a", lagMs: 99_999 }),
    ];
    const { nodes } = (await (await get("/nodes", members)).json()) as { nodes: object[] };
    const present = members.map((member) => ({ ...member, goneSinceMs: null }));
    expect(nodes).toEqual([present[1], present[0]]);
  });

  it("gives those that are missed among the others, and since when", async () => {
    const service = serviceOf([memberOf({ id: "b" })], {
      absent: () => [absent("c"), absent("a")],
    });
    const app = createApp(service);
    type Listed = Readonly<Record<string, unknown>>;
    const { nodes } = (await (await app.request("/nodes")).json()) as { nodes: Listed[] };
    expect(nodes.map(({ id, status, goneSinceMs }) => [id, status, goneSinceMs])).toEqual([
      ["a", "gone", 1_700_000_000_000],
      ["b", "ready", null],
      ["c", "gone", 1_700_000_000_000],
    ]);
    expect(new Set(nodes.map((node) => Object.keys(node).join())).size).toBe(1);
    expect(await (await app.request("/nodes/a")).json()).toEqual(nodes[0]);
    expect(await (await app.request("/status")).json()).toMatchObject({
      nodes: { gone: 2, ready: 1 },
    });
    expect((await app.request("/nearest?lat=0&lon=0&exclude=b")).status).toBe(503);
  });

  it("forgets one that is gone when it is deleted, but not for web pages", async () => {
    const forgotten: string[] = [];
    const service = serviceOf([], {
      forget: (id) => {
        forgotten.push(id);
        return Promise.resolve(absent(id));
      },
    });
    const app = createApp(service);
    const remove = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
      Promise.resolve(app.request(path, { method: "DELETE", headers }));
    const fromPage = await remove("/nodes/tokyo", { origin: "http://localhost:7400" });
    expect([fromPage.status, forgotten]).toEqual([403, []]);
    expect((await remove("/nodes/tokyo?now=1")).status).toBe(400);
    const answer = await remove("/nodes/tokyo");
    expect([answer.status, forgotten]).toEqual([200, ["tokyo"]]);
    expect(await answer.json()).toMatchObject({ id: "tokyo", status: "gone" });
    expect((await remove("/nodes")).status).toBe(405);
  });

  it("gives one by its id, or says that there is none", async () => {
    expect(await (await get("/nodes/tokyo")).json()).toEqual({
      ...CITIES[2],
      goneSinceMs: null,
    });
    const { problem } = await problemAt("/nodes/atlantis");
    expect(problem).toMatchObject({ code: "NODE_NOT_FOUND", status: 404 });
  });
});

describe("the other paths", () => {
  it("/status counts the nodes by status beside the facts of the log", async () => {
    const members = [
      ...CITIES,
      memberOf({ id: "x", status: "syncing", bufferedBytes: 5 }),
      memberOf({ id: "y", bufferedBytes: 6 }),
    ];
    expect(await (await get("/status", members)).json()).toEqual({
      id: "primary",
      lat: 38.72,
      lon: -9.14,
      cluster: "meridian",
      version: "9.8.7",
      startedAtMs: 1_699_999_999_000,
      nowMs: 1_700_000_000_000,
      logId: 5,
      epoch: 2,
      head: 12,
      committedThrough: 11,
      horizonAtMs: 1_704_067_200_001,
      horizonFrozenUntilMs: 1_700_000_000_000,
      nodes: { gone: 0, ready: 5, syncing: 1 },
      connections: 4,
      reconciling: null,
      reconcileWaiting: 0,
      syncing: false,
      stall: null,
      peers: [],
      url: null,
      beside: [],
      clocks: { aheadMs: 0, agreeing: 3, members: 3, confirmed: true, deviant: [] },
      bufferedBytes: 11,
      recentBytes: 100,
      lagMaxMs: 10_000,
      damage: null,
      snapshots: null,
      conditions: { decides: true, why: null, doubtSinceMs: null },
      disk: { freeBytes: 5_000, sizeBytes: 9_000 },
      gauges: [],
      store: serviceOf([]).store(),
    });
  });

  it("/digest gives the digest of the data and its place in the log", async () => {
    expect(await (await get("/digest")).json()).toEqual({
      count: 3,
      fingerprint: "00ff00ff00ff00ff",
      sequence: 11,
    });
  });

  it("/healthz is well while the process lives; /readyz says why not", async () => {
    const notReady = () => new MeridianError("GOING_AWAY", "The directory is shutting down");
    const app = createApp(serviceOf(CITIES, { notReady }));
    expect(await (await app.request("/healthz")).json()).toEqual({ status: "ok" });
    expect(await (await get("/readyz")).json()).toEqual({ status: "ready" });
    const response = await app.request("/readyz");
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await response.json()).toMatchObject({ code: "GOING_AWAY" });
  });

  it("take no options", async () => {
    for (const path of ["/nodes", "/nodes/tokyo", "/status", "/digest", "/healthz", "/readyz"]) {
      const { problem } = await problemAt(`${path}?verbose=1`);
      expect(problem).toMatchObject({ code: "UNKNOWN_OPTION", status: 400 });
    }
  });
});

describe("requests that are none", () => {
  it("an unknown path is 404", async () => {
    for (const path of ["/", "/nearest/", "/nodes/a/b", "/Nearest", "/replicate"]) {
      const { problem } = await problemAt(path);
      expect(problem).toMatchObject({ code: "ROUTE_NOT_FOUND", status: 404 });
    }
  });

  it("a wrong method is 405 and says which are right", async () => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      const { response, problem } = await problemAt(`/nearest?${PARIS}`, CITIES, { method });
      expect(problem).toMatchObject({ code: "METHOD_NOT_ALLOWED", status: 405 });
      expect(response.headers.get("allow")).toBe("GET, HEAD");
    }
  });

  it("HEAD is GET without the body, and a preflight is granted", async () => {
    const head = await get(`/nearest?${PARIS}`, CITIES, { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe("");
    const preflight = await get("/nearest", CITIES, { method: "OPTIONS" });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-methods")).toBe("GET, HEAD");
  });

  it("a bug is answered with INTERNAL", async () => {
    const service = serviceOf(CITIES, { digest: () => Promise.reject(new TypeError("oops")) });
    const response = await createApp(service).request("/digest");
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ code: "INTERNAL", retryable: true });
  });
});

it("/nearest and /readyz send elsewhere while the directory catches up with others", async () => {
  const notReady = () => new MeridianError("DIRECTORY_SYNCING", "The directory is catching up");
  const service = serviceOf(CITIES, { notReady });
  for (const path of [`/nearest?${PARIS}`, "/readyz"]) {
    const response = await createApp(service).request(path);
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await response.json()).toMatchObject({ code: "DIRECTORY_SYNCING", retryable: true });
  }
  expect(nearestOf(service, PARIS).status).toBe(503);
  expect((await createApp(service).request("/nodes")).status).toBe(200);
});

it("/nearest says for how many seconds nobody has told it who is there", async () => {
  const service = serviceOf(CITIES, { unheardMs: () => 7_900 });
  expect((await createApp(service).request(`/nearest?${PARIS}`)).headers.get("age")).toBe("7");
  expect((await get(`/nearest?${PARIS}`)).headers.get("age")).toBeNull();
});

it("/readyz tells of a full disk, and /nearest answers all the same", async () => {
  const notReady = () => new MeridianError("STORE_FULL", "Could not commit: the disk is full");
  const service = serviceOf(CITIES, { notReady });
  const response = await createApp(service).request("/readyz");
  expect([response.status, response.headers.get("retry-after")]).toEqual([507, "1"]);
  expect(await response.json()).toMatchObject({ code: "STORE_FULL", retryable: true });
  expect(nearestOf(service, PARIS).status).toBe(200);
});
