/** What both programs answer is what the schemas of their HTTP API say, member for member. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startDirectory } from "@meridian/directory";
import {
  BYTES,
  DIRECTORY_ROUTES,
  problem,
  REGION_ROUTES,
  type ApiRoute,
} from "@meridian/protocol/http-api";
import { silentLogger } from "@meridian/runtime";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { request, startSmallRegion, until } from "@meridian/harness";

/** How each route is asked, by its method and path; a route without any fails its test. */
const QUESTIONS: Readonly<Record<string, { readonly path?: string; readonly body?: string }>> = {
  "PUT /cache/{key}": { path: "/cache/k?ttl=1h&ack=all", body: "value" },
  "GET /cache/{key}": { path: "/cache/k" },
  "DELETE /cache/{key}": { path: "/cache/gone" },
  "POST /cache": { path: "/cache?key=short&value=blue&minutes=5" },
  "GET /cache": { path: "/cache?key=k" },
  "POST /batch/set": { body: '{"entries":[{"key":"a","value":"1","ttl":"1m"}]}' },
  "POST /batch/get": { body: '{"keys":["a","none"]}' },
  "GET /keys": { path: "/keys?limit=1" },
  "GET /digest": { path: "/digest?limit=10" },
  "GET /entries": {},
  "GET /quarantine": {},
  "GET /status": {},
  "GET /metrics": {},
  "GET /healthz": {},
  "GET /readyz": {},
  "GET /nearest": { path: "/nearest?lat=1&lon=2" },
  "GET /nodes": {},
  "GET /nodes/{id}": { path: "/nodes/paris" },
  "DELETE /nodes/{id}": { path: "/nodes/rome" },
};

/** Routes that need a quarantined entry, which this test does not have. */
const NEEDS_MORE = /^[A-Z]+ \/quarantine\/\{id\}/;

function rowsOf(routes: readonly ApiRoute[]): readonly (readonly [string, ApiRoute])[] {
  return routes
    .map((route) => [`${route.method} ${route.path}`, route] as const)
    .filter(([name]) => !NEEDS_MORE.test(name));
}

let folder: string;
let region: string;
let directory: string;
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "meridian-api-"));
  const first = await startDirectory({
    host: "127.0.0.1",
    port: 0,
    cluster: "test",
    durability: "process",
    logger: silentLogger,
    data: join(folder, "directory"),
    lagMax: 10_000,
    horizon: 3_600_000,
  });
  stops.push(() => first.stop());
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

/** Asks a route, and holds its answer to its schema: nothing missing, nothing besides. */
async function expectAnswer(base: () => string, route: ApiRoute): Promise<void> {
  const question = QUESTIONS[`${route.method} ${route.path}`];
  expect(question, `a question for ${route.method} ${route.path}`).toBeDefined();
  const { path = route.path, body } = question ?? {};
  const response = await request(`${base()}${path}`, {
    method: route.method,
    ...(body !== undefined && { body, headers: { "content-type": "application/json" } }),
  });
  const text = await response.text();
  expect([response.status, text]).toEqual([200, expect.any(String)]);
  if (route.answer === BYTES) return;
  const answer: unknown = JSON.parse(text);
  expect(v.parse(route.answer, answer)).toEqual(answer);
}

describe("a region answers what its schemas say", () => {
  it.each(rowsOf(REGION_ROUTES))("%s", (_, route) => expectAnswer(() => region, route));
});

describe("a directory answers what its schemas say", () => {
  it.each(rowsOf(DIRECTORY_ROUTES))("%s", (_, route) => expectAnswer(() => directory, route));
});

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
  ["a region", (): string => region, REGION_ROUTES],
  ["a directory", (): string => directory, DIRECTORY_ROUTES],
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
