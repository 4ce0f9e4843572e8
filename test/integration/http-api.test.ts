/** Compares the answers of both programs with the schemas of their HTTP API, member for member. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  BYTES,
  DIRECTORY_API,
  EVENTS,
  problem,
  REGION_API,
  routesOf,
  type ApiTable,
  type BackupReport,
  type PlacedRoute,
} from "@meridian/protocol/http-api";
import { encodeBlock, stampTimeOf } from "@meridian/protocol";
import { silentLogger, systemClock, systemRandom } from "@meridian/runtime";
import { openReplicaStore } from "@meridian/store";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { request, startSmallDirectory, startSmallRegion, until } from "@meridian/harness";

interface Question {
  /** Default: the path of the route. */
  readonly path?: string | ((base: string) => Promise<string>);
  readonly body?: string;
}

/** By method and path: how the test asks the route. A route that is not in the table fails its test. */
const QUESTIONS: Readonly<Record<string, Question>> = {
  "PUT /cache/{key}": { path: "/cache/k?ttl=1h&ack=all", body: "value" },
  "GET /cache/{key}": { path: "/cache/k" },
  "DELETE /cache/{key}": { path: "/cache/gone" },
  "POST /cache": { path: "/cache?key=short&value=blue&minutes=5" },
  "GET /cache": { path: "/cache?key=k" },
  "POST /batch/set": { body: '{"entries":[{"key":"a","value":"1","ttl":"1m"}]}' },
  "POST /batch/get": { body: '{"keys":["a","none"]}' },
  "POST /batch/has": { body: '{"keys":["a","none"]}' },
  "POST /batch/delete": { body: '{"keys":["a","none"],"ack":"local"}' },
  "POST /touch": { path: "/touch?key=k&ttl=2h" },
  "POST /pull": { path: "/pull?key=short" },
  "POST /lease": { path: "/lease?key=k&ttl=1s" },
  "DELETE /lease": { path: "/lease?key=k&lease=none" },
  "GET /keys": { path: "/keys?limit=1&values=true" },
  "GET /watch": { path: "/watch?prefix=" },
  "POST /watch/tickets": { path: "/watch/tickets?key=k" },
  "GET /nodes/watch": {},
  "GET /digest": { path: "/digest?limit=10" },
  "GET /entries": {},
  "GET /quarantine": {},
  "GET /quarantine/{id}": { path: "/quarantine/1" },
  "DELETE /quarantine/{id}": { path: "/quarantine/2" },
  "POST /quarantine/{id}/replay": { path: "/quarantine/3/replay" },
  "PUT /revocations/{id}": { path: "/revocations/lost?ttl=1h" },
  "GET /revocations": {},
  "GET /status": {},
  "GET /metrics": {},
  "POST /backup": {},
  "GET /backup": {},
  "DELETE /backup": {},
  "GET /backup/hold": {
    path: async (base) => (await placeOfBackup(base)).replace(/content(.*)&from=0/, "hold$1"),
  },
  "GET /backup/content": { path: placeOfBackup },
  "GET /healthz": {},
  "GET /readyz": {},
  "GET /nearest": { path: "/nearest?lat=1&lon=2" },
  "GET /nodes": {},
  "GET /nodes/{id}": { path: "/nodes/paris" },
  "DELETE /nodes/{id}": { path: "/nodes/rome" },
  "DELETE /conditions/doubt": {},
  "GET /entry": { path: "/entry?key=k" },
  "GET /trouble": {},
  "GET /history": {},
  "GET /history/watch": {},
  "GET /directory/view/nearest": { path: "/directory/view/nearest?lat=1&lon=2" },
  "GET /directory/view/nodes/watch": {},
  "GET /directory/view/status": {},
  "GET /directory/view/peers/{peer}/view/status": {
    path: async () => `/directory/view${await atPeer("/status")()}`,
  },
  "GET /peers/{peer}/view/status": { path: atPeer("/status") },
  "GET /peers/{peer}/view/digest": { path: atPeer("/digest?limit=10") },
  "GET /peers/{peer}/view/entries": { path: atPeer("/entries") },
  ...viewed({
    "GET /status": {},
    "GET /history": {},
    "GET /history/watch": {},
    "GET /digest": { path: "/digest?limit=10" },
    "GET /entries": { path: "/entries?limit=10" },
    "GET /keys": { path: "/keys?limit=1" },
    "GET /entry": { path: "/entry?key=k" },
    "GET /cache": { path: "/cache?key=k" },
    "POST /cache": { path: "/cache?key=viewed", body: "value" },
    "DELETE /cache/{key}": { path: "/cache/none" },
    "POST /touch": { path: "/touch?key=viewed&ttl=1h" },
    "GET /watch": { path: "/watch?key=viewed" },
    "GET /quarantine": {},
    "GET /quarantine/{entry}": { path: "/quarantine/4" },
    "DELETE /quarantine/{entry}": { path: "/quarantine/4" },
    "POST /quarantine/{entry}/replay": { path: "/quarantine/5/replay" },
  }),
};

/** The same requests, handed on to a region by its directory. */
function viewed(questions: Readonly<Record<string, Question>>): Readonly<Record<string, Question>> {
  return Object.fromEntries(
    Object.entries(questions).map(([route, question]) => {
      const [method = "", path = ""] = route.split(" ");
      const asked = typeof question.path === "string" ? question.path : path;
      return [
        `${method} /nodes/{id}/view${path}`,
        { ...question, path: `/nodes/paris/view${asked}` },
      ];
    }),
  );
}

/** A request that the directory hands on to the one that it follows. */
function atPeer(path: string): () => Promise<string> {
  return () => Promise.resolve(`/peers/${encodeURIComponent(peer)}/view${path}`);
}

function rowsOf(api: ApiTable): readonly (readonly [string, PlacedRoute])[] {
  return routesOf(api).map((route) => [`${route.method} ${route.path}`, route]);
}

/** Makes a backup, and returns the path and query of its first bytes. */
async function placeOfBackup(base: string): Promise<string> {
  await request(`${base}/backup`, { method: "POST" });
  const id = await until("a backup is ready", async () => {
    const told = (await (await request(`${base}/backup`)).json()) as BackupReport;
    return told.state === "ready" ? told.id : undefined;
  });
  return `/backup/content?id=${id}&from=0`;
}

/** Fills the store of a region that has not been started with entries that the cluster has deleted. */
async function quarantineSome(data: string): Promise<void> {
  const store = await openReplicaStore({
    path: join(data, "region.db"),
    durability: "process",
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
  });
  const time = stampTimeOf(Date.now() - 60_000);
  const entries = ["shown", "dropped", "replayed", "dropped in view", "replayed in view"].map(
    (key) => ({
      key,
      value: new TextEncoder().encode(key),
      contentType: "text/plain",
      stamp: { time, origin: 5 },
      expiresAtMs: 0,
      deleted: false,
    }),
  );
  const quarantined = { entries, atMs: Date.now() };
  const block = encodeBlock([]);
  const failure = await new Promise<unknown>((resolve) => {
    store.append({ kind: "remote", entries: [], block, highestTime: time, quarantined }, resolve);
  });
  expect(failure).toBeUndefined();
  await store.close();
}

let folder: string;
let region: string;
let directory: string;
let peer: string;
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "meridian-api-"));
  const second = await startSmallDirectory({ data: join(folder, "second") });
  stops.push(() => second.stop());
  peer = second.url;
  const first = await startSmallDirectory({ data: join(folder, "directory"), peer: [peer] });
  stops.unshift(() => first.stop());
  await quarantineSome(join(folder, "region"));
  const paris = await startSmallRegion({
    id: "paris",
    data: join(folder, "region"),
    directory: [first.url],
  });
  stops.unshift(() => paris.stop());
  const rome = await startSmallRegion({
    id: "rome",
    data: join(folder, "gone"),
    directory: [first.url],
  });
  await until("the other region is ready", () => rome.status === "ready" || undefined);
  await rome.stop();
  [directory, region] = [first.url, paris.url];
  await until("the region is ready", () => paris.status === "ready" || undefined);
  await request(`${region}/cache/k?ack=all`, { method: "PUT", body: "value" });
});

afterAll(async () => {
  for (const stop of stops) await stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Asks a route, and compares the answer with its schema: no member is missing, and none is additional. */
async function expectAnswer(base: () => string, route: PlacedRoute): Promise<void> {
  const question = QUESTIONS[`${route.method} ${route.path}`];
  expect(question, `a question for ${route.method} ${route.path}`).toBeDefined();
  const { path: place = route.path, body } = question ?? {};
  const path = typeof place === "string" ? place : await place(base());
  const response = await request(`${base()}${path}`, {
    method: route.method,
    ...(body !== undefined && { body, headers: { "content-type": "application/json" } }),
  });
  const text = await textOf(response);
  expect([response.status, text]).toEqual([200, expect.any(String)]);
  if (route.answer === EVENTS || route.answer === BYTES) return;
  const answer: unknown = JSON.parse(text);
  expect(v.parse(route.answer, answer)).toEqual(answer);
}

describe("a region answers what its schemas say", () => {
  it.each(rowsOf(REGION_API))("%s", (_, route) => expectAnswer(() => region, route));
});

describe("a directory answers what its schemas say", () => {
  it.each(rowsOf(DIRECTORY_API))("%s", (_, route) => expectAnswer(() => directory, route));
});

/** Each option of a route on its own, with a value that may be wrong. */
function optionsOf(api: ApiTable): readonly (readonly [string, string, string])[] {
  return routesOf(api).flatMap(({ method, path, query = [] }) =>
    query.map(({ name }) => [method, path, name] as const),
  );
}

describe.each([
  ["a region", (): string => region, REGION_API],
  ["a directory", (): string => directory, DIRECTORY_API],
] as const)("%s knows the options that its schemas name", (_, base, api) => {
  it.each(optionsOf(api))("%s %s: %s", async (method, path, name) => {
    const url = `${base()}${path}?${name}=?`;
    expect(await codeOf(await request(url, { method }))).not.toBe("UNKNOWN_OPTION");
    const other = await request(`${url}&none-of-these=1`, { method });
    expect(await codeOf(other)).toBe("UNKNOWN_OPTION");
  });
});

/** Resolves to the body; of a stream of events, which does not end, to its beginning. */
async function textOf(response: Response): Promise<string> {
  if (response.headers.get("content-type") !== "text/event-stream") return response.text();
  const reader = response.body?.getReader();
  const first = await reader?.read();
  await reader?.cancel();
  return Buffer.from((first?.value ?? new Uint8Array()) as Uint8Array).toString();
}

async function codeOf(response: Response): Promise<string | undefined> {
  const text = await textOf(response);
  return response.ok ? undefined : v.parse(problem, JSON.parse(text)).code;
}

it.each([
  ["a region", (): string => `${region}/cache/none`],
  ["a region, of an option", (): string => `${region}/keys?limit=none`],
  ["a directory", (): string => `${directory}/nodes/none`],
  ["a directory, of a place", (): string => `${directory}/nearest?lat=100&lon=0`],
])("a failure of %s is a problem document", async (_, url) => {
  const response = await request(url());
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const answer: unknown = await response.json();
  expect(v.parse(problem, answer)).toMatchObject({ status: response.status });
});

it.each([
  ["a region", (): string => region, routesOf(REGION_API)],
  ["a directory", (): string => directory, routesOf(DIRECTORY_API)],
] as const)("%s serves the document of its API, and a page of it", async (_, base, routes) => {
  const document = (await (await request(`${base()}/openapi.json`)).json()) as {
    readonly paths: Readonly<Record<string, object>>;
  };
  const operations = Object.values(document.paths).flatMap((path) => Object.keys(path));
  expect(operations).toHaveLength(routes.length);
  const page = await request(`${base()}/docs`);
  expect(page.headers.get("content-type")).toMatch(/^text\/html/);
  expect(page.headers.get("content-security-policy")).toContain("default-src 'self'");
  expect(await page.text()).not.toMatch(/<script|<style|style=|https?:/);
  expect((await request(`${base()}/docs.css`)).status).toBe(200);
});
