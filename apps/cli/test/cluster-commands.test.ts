import { expect, test } from "vitest";

import {
  absentNodeOf,
  directoryStatusOf,
  nearestNodeOf,
  nodeOf,
  regionStatusOf,
} from "./answers.ts";
import { run, serve, type Reply } from "./command.ts";

const entry = (body: Buffer, more: Readonly<Record<string, string>> = {}): Reply => ({
  body,
  headers: { "content-type": "text/plain", etag: '"abc-1"', ...more },
});

test("with a location, the node is the nearest one of the directory", async () => {
  const node = await serve({ "GET /cache/k": entry(Buffer.from("v")) });
  const nodes = [nearestNodeOf({ id: "n", url: node.url })];
  const directory = await serve({ "GET /nearest": { body: { nodes } } });
  const env = { MERIDIAN_DIRECTORY: directory.url, MERIDIAN_LAT: "-33.5", MERIDIAN_LON: "151" };
  expect((await run(["get", "k"], { env })).stdout.toString()).toBe("v");
  expect(directory.calls[0]?.url).toBe("/nearest?lat=-33.5&lon=151&limit=4");
  await run(["get", "k", "--lat", "-1.5", "--lon=2"], { env });
  expect(directory.calls[1]?.url).toBe("/nearest?lat=-1.5&lon=2&limit=4");
});

test("without a location, the node is the first that is ready", async () => {
  const node = await serve({ "GET /cache/k": entry(Buffer.from("v")) });
  const nodes = [
    nodeOf({ id: "a", url: "http://127.0.0.1:1", status: "syncing" }),
    nodeOf({ id: "b", url: node.url }),
  ];
  const directory = await serve({ "GET /nodes": { body: { nodes } } });
  const { stdout } = await run(["get", "k", "--directory", directory.url]);
  expect(stdout.toString()).toBe("v");
});

test("a node is named by its id, too", async () => {
  const told = regionStatusOf({ id: "b", replica: { behind: 1234, lagMs: 2.4 } });
  const node = await serve({ "GET /status": { body: told } });
  const directory = await serve({ "GET /nodes/b": { body: nodeOf({ id: "b", url: node.url }) } });
  const { stdout } = await run(["status", "--node", "b", "--directory", directory.url]);
  expect(stdout.toString()).toMatch(/^node b +of the cluster/m);
  expect(stdout.toString()).toMatch(/^behind +1,234 writes, 2 ms$/m);
  const json = await run(["status", "--node", "b", "--directory", directory.url, "--json"]);
  expect(JSON.parse(json.stdout.toString())).toEqual(told);
});

test("status says in words how a directory is, and what troubles it", async () => {
  const told = directoryStatusOf({
    beside: [{ id: "oslo", url: "https://oslo.example", lat: null, lon: null }],
    startedAtMs: 1_000,
    nowMs: 200_000,
    head: 12,
    committedThrough: 11,
    nodes: { ready: 2, gone: 1, syncing: 0 },
    bufferedBytes: 2_048,
    syncing: true,
    damage: "page 7 is torn",
  });
  const { url } = await serve({ "GET /status": { body: told } });
  const { stdout } = await run(["status", "--directory", url]);
  const lines = stdout.toString();
  expect(lines).toMatch(/^directory +of the cluster c, version 1, for 3 min$/m);
  expect(lines).toMatch(/^nodes +2 ready, 1 gone$/m);
  expect(lines).toMatch(/^same log at +https:\/\/oslo\.example$/m);
  expect(lines).toMatch(/^waiting to be sent +2.0 KiB$/m);
  expect(lines).toMatch(/^trouble +syncing; page 7 is torn$/m);
  expect((await run(["status", "--directory", url, "--json"])).stdout.toString()).toBe(
    `${JSON.stringify(told)}\n`,
  );
});

test("nearest shows a table for people and the answer itself for machines", async () => {
  const nodes = [
    nearestNodeOf({ id: "frankfurt", url: "http://f", distanceMeters: 478_600, lagMs: 1.4 }),
    nearestNodeOf({ id: "montreal", url: "http://m", distanceMeters: 5_510_000, lagMs: 12 }),
  ];
  const { url } = await serve({ "GET /nearest": { body: { nodes } } });
  const argv = ["nearest", "--lat", "48.86", "--lon", "2.35", "--directory", url];
  expect((await run(argv)).stdout.toString()).toBe(
    "NODE         KM  LAG MS  URL\nfrankfurt   479       1  http://f\nmontreal   5510      12  http://m\n",
  );
  expect(JSON.parse((await run([...argv, "--json"])).stdout.toString())).toEqual({ nodes });
});

test("nodes shows every node, or the one that is named", async () => {
  const node = nodeOf({ id: "f", url: "http://f", outboxPending: 3 });
  const { url } = await serve({
    "GET /nodes": { body: { nodes: [node] } },
    "GET /nodes/f": { body: node },
  });
  const table =
    "NODE  STATUS  LAT  LON  LAG MS  OUTBOX  URL\nf     ready    50    8       0       3  http://f\n";
  expect((await run(["nodes", "--directory", url])).stdout.toString()).toBe(table);
  expect((await run(["nodes", "f", "--directory", url])).stdout.toString()).toBe(table);
  const other = await run(["nodes", "g", "--directory", url]);
  expect(other.exitCode).toBe(1);
});

test("nodes tells for how long one has been gone; forget has all directories forget it", async () => {
  const gone = absentNodeOf({ id: "g", url: "http://g", goneSinceMs: Date.now() - 200_000 });
  const unknown = { status: 404, body: { code: "NODE_NOT_FOUND", detail: "no g" } };
  const routes = { "GET /nodes": { body: { nodes: [gone] } } };
  const first = await serve({ ...routes, "DELETE /nodes/g": unknown });
  const second = await serve({ ...routes, "DELETE /nodes/g": { body: gone } });
  const { stdout } = await run(["nodes", "--directory", first.url]);
  expect(stdout.toString()).toMatch(/^g +gone, 3 min /m);
  const argv = ["nodes", "forget", "g", "--directory"];
  const done = await run([...argv, `${first.url},${second.url}`]);
  expect([done.exitCode, done.stdout.toString()]).toEqual([
    0,
    "g is forgotten: nobody misses it any more.\n",
  ]);
  expect((await run([...argv, first.url])).stderr).toContain("NODE_NOT_FOUND");
});

test("of several directories, the first that answers is used by every command", async () => {
  const [node, near] = [
    nodeOf({ id: "a", url: "http://a" }),
    nearestNodeOf({ id: "a", url: "http://a" }),
  ];
  const syncing = { status: 503, body: { code: "DIRECTORY_SYNCING", detail: "catching up" } };
  const first = await serve({ "GET /nodes": syncing, "GET /nearest": syncing });
  const second = await serve({
    "GET /nodes": { body: { nodes: [node] } },
    "GET /nearest": { body: { nodes: [near] } },
  });
  const list = `http://127.0.0.1:1,${first.url}, ${second.url}/`;
  const told = await run(["nodes", "--json", "--directory", list]);
  expect(JSON.parse(told.stdout.toString())).toEqual({ nodes: [node] });
  const place = ["--lat", "1", "--lon", "2", "--json"];
  const nearest = await run(["nearest", ...place], { env: { MERIDIAN_DIRECTORY: list } });
  expect(JSON.parse(nearest.stdout.toString())).toEqual({ nodes: [near] });
  expect([first.calls.length, second.calls.length]).toEqual([2, 2]);
});

test("an answer that is not what it ought to be is a failure that says what is wrong", async () => {
  const { lagMs: _, ...node } = nodeOf({ id: "f", url: "http://f" });
  const { url } = await serve({ "GET /nodes/f": { body: node }, "GET /status": { body: [] } });
  const nodes = await run(["nodes", "f", "--directory", url]);
  expect([nodes.exitCode, nodes.stdout.length]).toEqual([1, 0]);
  expect(nodes.stderr).toContain(`INTERNAL: Expected \`lagMs\` from ${url}/nodes/f`);
  const status = await run(["status", "--directory", url]);
  expect(status.stderr).toContain(`INTERNAL: Expected \`cluster\` from ${url}/status, got nothing`);
});

test("when no directory answers, each is named", async () => {
  const { exitCode, stderr } = await run([
    "nodes",
    "--directory",
    "http://127.0.0.1:1,http://127.0.0.1:2",
  ]);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/DIRECTORY_UNREACHABLE: .*:1\/nodes.*; .*:2\/nodes/);
});

test("a directory that does not answer is a failure that names it", async () => {
  const { url, close } = await serve({});
  close();
  const { exitCode, stdout, stderr } = await run(["nodes", "--directory", url]);
  expect([exitCode, stdout.length]).toEqual([1, 0]);
  expect(stderr).toContain(`meridian: DIRECTORY_UNREACHABLE: Expected an answer at ${url}/nodes, `);
  expect(stderr).toContain("ECONNREFUSED");
});
