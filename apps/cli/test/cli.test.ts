import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, expect, test } from "vitest";

import { runCli } from "../src/index.ts";

interface Call {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

interface Reply {
  readonly status?: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Outcome {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const toClose: (() => unknown)[] = [];

afterEach(() => {
  for (const close of toClose.splice(0)) close();
});

/** A directory and a node in one server; answers by method and path, remembers what it was asked. */
async function serve(
  routes: Readonly<Record<string, Reply>>,
): Promise<{ readonly url: string; readonly calls: Call[] }> {
  const calls: Call[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { method = "", url = "", headers } = request;
      calls.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
      const path = url.split("?")[0] ?? "";
      const reply = routes[`${method} ${path}`] ?? {
        status: 404,
        body: { code: "ROUTE_NOT_FOUND", detail: `nothing at ${path}` },
      };
      const type = (reply.status ?? 200) < 400 ? "application/json" : "application/problem+json";
      const told = { "content-type": type, "meridian-node": "test", ...reply.headers };
      response.writeHead(reply.status ?? 200, told);
      response.end(Buffer.isBuffer(reply.body) ? reply.body : JSON.stringify(reply.body));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  toClose.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls };
}

async function run(
  argv: readonly string[],
  given: { readonly stdin?: string; readonly env?: Record<string, string> } = {},
): Promise<Outcome> {
  const out: Buffer[] = [];
  let stderr = "";
  async function* input(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(given.stdin ?? "");
  }
  const exitCode = await runCli(argv, {
    stdout: { write: (data) => out.push(Buffer.from(data as string)) },
    stderr: { write: (text) => (stderr += text) },
    stdin: given.stdin === undefined ? undefined : input(),
    env: given.env ?? {},
    colour: false,
  });
  return { exitCode, stdout: Buffer.concat(out), stderr };
}

const acknowledged = {
  level: "local",
  reached: true,
  local: true,
  directory: false,
  nodes: [],
  ready: [],
};
const written = { key: "k", etag: "abc-1", expiresAtMs: null, acknowledged };
const entry = (body: Buffer, more: Readonly<Record<string, string>> = {}): Reply => ({
  body,
  headers: { "content-type": "text/plain", etag: '"abc-1"', ...more },
});
const missing = { status: 404, body: { code: "KEY_NOT_FOUND", detail: "no value" } };

test("get writes the stored bytes to stdout, and nothing else", async () => {
  const bytes = Buffer.from([0, 255, 10, 13]);
  const { url } = await serve({ "GET /cache/k": entry(bytes) });
  const { exitCode, stdout, stderr } = await run(["get", "k", "--node", url]);
  expect(stdout.equals(bytes)).toBe(true);
  expect([exitCode, stderr]).toEqual([0, ""]);
});

test("get of a key without a value exits with 3 and leaves stdout empty", async () => {
  const { url } = await serve({ "GET /cache/k": missing });
  const { exitCode, stdout, stderr } = await run(["get", "k", "--node", url]);
  expect([exitCode, stdout.length]).toEqual([3, 0]);
  expect(stderr).toBe('meridian: no value for "k"\n');
});

test.each([
  [Buffer.from("hé"), { value: "hé", encoding: "utf8" }],
  [Buffer.from([0, 255]), { value: "AP8=", encoding: "base64" }],
])("get --json gives one object of %j", async (bytes, value) => {
  const expiry = { "meridian-expires-at": "1800000000000" };
  for (const [more, expiresAtMs] of [
    [{}, null],
    [expiry, 1_800_000_000_000],
  ] as const) {
    const { url } = await serve({ "GET /cache/k": entry(bytes, more) });
    const found = await run(["get", "k", "--node", url, "--json"]);
    const about = { key: "k", found: true, contentType: "text/plain", etag: "abc-1", expiresAtMs };
    expect(JSON.parse(found.stdout.toString())).toEqual({ ...about, ...value });
  }
});

test("get --json of a key without a value says so", async () => {
  const { url } = await serve({ "GET /cache/k": missing });
  const absent = await run(["get", "k", "--node", url, "--json"]);
  expect([absent.exitCode, JSON.parse(absent.stdout.toString())]).toEqual([
    3,
    { key: "k", found: false },
  ]);
});

test("set takes its value from the argument, as text", async () => {
  const { url, calls } = await serve({ "PUT /cache/k": { body: written } });
  const { exitCode, stdout } = await run([
    "set",
    "k",
    "-5",
    "--ttl",
    "15m",
    "--ack",
    "2",
    "--node",
    url,
  ]);
  expect(exitCode).toBe(0);
  expect(calls[0]).toMatchObject({ url: "/cache/k?ack=2&ttl=900000ms", body: "-5" });
  expect(calls[0]?.headers["content-type"]).toBe("text/plain; charset=utf-8");
  expect(stdout.toString()).toBe("KEY  BYTES  ETAG   EXPIRES\nk        2  abc-1  never\n");
});

test("set takes its value from stdin where there is no argument, as bytes", async () => {
  const { url, calls } = await serve({ "PUT /cache/k": { body: written } });
  const { exitCode } = await run(["set", "k", "--node", url], { stdin: "from a pipe" });
  expect(exitCode).toBe(0);
  expect(calls[0]?.body).toBe("from a pipe");
  expect(calls[0]?.headers["content-type"]).toBe("application/octet-stream");
});

test("set without a value anywhere is a usage error", async () => {
  const { exitCode, stderr } = await run(["set", "k", "--node", "http://127.0.0.1:1"]);
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/as an argument or on stdin/);
});

test("a value of type json must be JSON", async () => {
  const { url, calls } = await serve({ "PUT /cache/k": { body: written } });
  expect((await run(["set", "k", "{a}", "--type", "json", "--node", url])).exitCode).toBe(2);
  expect(calls).toEqual([]);
  expect((await run(["set", "k", '{"a":1}', "--type", "json", "--node", url])).exitCode).toBe(0);
  expect(calls[0]?.headers["content-type"]).toBe("application/json");
});

test("del succeeds whether or not there was a value, and tells which", async () => {
  const { url } = await serve({ "DELETE /cache/k": { body: { ...written, deleted: false } } });
  const { exitCode, stdout } = await run(["del", "k", "--node", url]);
  expect(exitCode).toBe(0);
  expect(stdout.toString()).toBe("KEY  EXISTED  ETAG\nk    no       abc-1\n");
});

test("keys lists no more than it is asked for", async () => {
  const about = { contentType: "text/plain", etag: '"abc-1"', expiresAtMs: null, bytes: 3 };
  const keys = ["a", "b"].map((key) => ({ key, ...about }));
  const { url, calls } = await serve({ "GET /keys": { body: { keys, next: "b" } } });
  const { stdout } = await run(["keys", "x/", "--limit", "1", "--json", "--node", url]);
  expect(stdout.toString().trim().split("\n")).toHaveLength(1);
  expect(calls[0]?.url).toBe("/keys?limit=1&prefix=x%2F");
});

test("with a location, the node is the nearest one of the directory", async () => {
  const node = await serve({ "GET /cache/k": entry(Buffer.from("v")) });
  const nodes = [{ id: "n", region: "n", url: node.url, distanceMeters: 5 }];
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
    { id: "a", url: "http://127.0.0.1:1", status: "syncing" },
    { id: "b", url: node.url, status: "ready" },
  ];
  const directory = await serve({ "GET /nodes": { body: { nodes } } });
  const { stdout } = await run(["get", "k", "--directory", directory.url]);
  expect(stdout.toString()).toBe("v");
});

test("a node is named by its id, too", async () => {
  const node = await serve({ "GET /status": { body: { node: "b", store: { rows: 5 } } } });
  const directory = await serve({ "GET /nodes/b": { body: { id: "b", url: node.url } } });
  const { stdout } = await run(["status", "--node", "b", "--directory", directory.url]);
  expect(stdout.toString()).toBe("NAME        VALUE\nnode        b\nstore.rows  5\n");
});

test("nearest shows a table for people and the answer itself for machines", async () => {
  const nodes = [
    { id: "frankfurt", url: "http://f", distanceMeters: 478_600, lagMs: 1.4 },
    { id: "montreal", url: "http://m", distanceMeters: 5_510_000, lagMs: 12 },
  ];
  const { url } = await serve({ "GET /nearest": { body: { nodes } } });
  const argv = ["nearest", "--lat", "48.86", "--lon", "2.35", "--directory", url];
  expect((await run(argv)).stdout.toString()).toBe(
    "NODE         KM  LAG MS  URL\nfrankfurt   479       1  http://f\nmontreal   5510      12  http://m\n",
  );
  expect(JSON.parse((await run([...argv, "--json"])).stdout.toString())).toEqual({ nodes });
});

test("nodes shows every node, or the one that is named", async () => {
  const node = {
    id: "f",
    status: "ready",
    url: "http://f",
    lat: 50,
    lon: 8,
    lagMs: 0,
    outboxPending: 3,
  };
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

test("of several directories, the first that answers is used by every command", async () => {
  const nodes = [{ id: "a", url: "http://a", status: "ready" }];
  const syncing = { status: 503, body: { code: "DIRECTORY_SYNCING", detail: "catching up" } };
  const first = await serve({ "GET /nodes": syncing, "GET /nearest": syncing });
  const second = await serve({
    "GET /nodes": { body: { nodes } },
    "GET /nearest": { body: { nodes } },
  });
  const list = `http://127.0.0.1:1,${first.url}, ${second.url}/`;
  const told = await run(["nodes", "--json", "--directory", list]);
  expect(JSON.parse(told.stdout.toString())).toEqual({ nodes });
  const place = ["--lat", "1", "--lon", "2", "--json"];
  const nearest = await run(["nearest", ...place], { env: { MERIDIAN_DIRECTORY: list } });
  expect(JSON.parse(nearest.stdout.toString())).toEqual({ nodes });
  expect([first.calls.length, second.calls.length]).toEqual([2, 2]);
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
  const { url } = await serve({});
  for (const close of toClose.splice(0)) close();
  const { exitCode, stdout, stderr } = await run(["nodes", "--directory", url]);
  expect([exitCode, stdout.length]).toEqual([1, 0]);
  expect(stderr).toContain(`meridian: DIRECTORY_UNREACHABLE: Expected an answer at ${url}/nodes, `);
  expect(stderr).toContain("ECONNREFUSED");
});

test("with --json, an error is a problem document on stderr", async () => {
  const { stderr } = await run(["nodes", "--directory", "http://127.0.0.1:1", "--json"]);
  expect(JSON.parse(stderr)).toMatchObject({ code: "DIRECTORY_UNREACHABLE", retryable: true });
});

test.each<[string, readonly string[], RegExp]>([
  ["an unknown option", ["get", "k", "--nod", "x"], /unknown option '--nod'/],
  ["an unknown command", ["gett", "k"], /unknown command 'gett'/],
  ["a missing key", ["get"], /missing required argument 'key'/],
  ["one argument too many", ["get", "a", "b"], /too many arguments/],
  ["no command", [], /Usage: meridian/],
  ["half a location", ["get", "k", "--lat", "5"], /Expected `lon` .* got nothing/],
  ["a latitude off the globe", ["nearest", "--lat", "95", "--lon", "5"], /got `95`/],
  ["no location", ["nearest"], /`--lat` and `--lon`/],
  ["a directory that is no URL", ["nodes", "--directory", "localhost"], /got `localhost`/],
  [
    "a TTL that is none",
    ["set", "k", "v", "--ttl", "5y", "--node", "http://127.0.0.1:1"],
    /INVALID_TTL/,
  ],
  [
    "an unknown ack level",
    ["set", "k", "v", "--ack", "most", "--node", "http://127.0.0.1:1"],
    /`ack`/,
  ],
  ["a reserved key", ["get", "\0a", "--node", "http://127.0.0.1:1"], /INVALID_KEY/],
  ["an empty key", ["get", "", "--node", "http://127.0.0.1:1"], /INVALID_KEY/],
  ["too many regions", ["dev", "--regions", "50"], /INVALID_CONFIG/],
])("%s exits with 2, says why on stderr, and leaves stdout empty", async (_, argv, message) => {
  const { exitCode, stdout, stderr } = await run(argv);
  expect(stderr).toMatch(message);
  expect([exitCode, stdout.length]).toEqual([2, 0]);
});

test("help goes to stdout and is a success, for every command", async () => {
  for (const command of ["", "get", "set", "del", "keys", "nearest", "nodes", "status", "dev"]) {
    const { exitCode, stdout, stderr } = await run([
      ...(command === "" ? [] : [command]),
      "--help",
    ]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout.toString()).toMatch(new RegExp(`^Usage: meridian ${command}`));
  }
});

test("the version is that of the package", async () => {
  const { exitCode, stdout } = await run(["--version"]);
  expect([exitCode, stdout.toString()]).toEqual([0, "0.1.0\n"]);
});

function fileWith(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "meridian-cli-"));
  toClose.push(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "cluster.json"), text);
  return join(folder, "cluster.json");
}

test("config example gives a file that config check finds right", async () => {
  const { exitCode, stdout } = await run(["config", "example"]);
  const file = fileWith(stdout.toString());
  const told = await run(["config", "check", file]);
  expect([exitCode, told.exitCode, told.stderr]).toEqual([0, 0, ""]);
  const lines = told.stdout.toString().split("\n");
  expect(lines[0]).toBe(`OK: ${file} describes the cluster example: 2 directories and 2 regions.`);
  expect(lines[2]).toMatch(/^ID +URL +LISTENS ON +DATA +PLACE$/);
  expect(lines[3]).toMatch(/^primary +http:\/\/10\.0\.0\.1:7400 +0\.0\.0\.0:7400 +- +priority 1$/);
  expect(lines.at(-2)).toMatch(/^sydney +- .*0\.0\.0\.0:7401 .*\/var\/lib.* -33\.8688, 151\.2093$/);
  expect((await run(["config", "check", file, "--json"])).stdout.toString()).toBe(
    '{"ok":true,"problems":[]}\n',
  );
});

test("config check tells all that is wrong, one line each, and exits with 2", async () => {
  const file = fileWith('{"directories": [{"id": "d", "port": 0}], "regions": [{"id": "d"}]}');
  const { exitCode, stdout, stderr } = await run(["config", "check", file]);
  expect([exitCode, stdout.length]).toEqual([2, 0]);
  expect(stderr.trim().split("\n")).toEqual([
    "cluster.json: Expected `directories[0].port` to be a whole number between 1 and 65535, got `0`",
    "cluster.json: Expected `regions[0].lat`, got nothing",
    "cluster.json: Expected `regions[0].lon`, got nothing",
    "cluster.json: Expected ids of their own, got `d` at `directories[0].id` and `regions[0].id`",
  ]);
  const json = await run(["config", "check", file, "--json"]);
  expect(json.exitCode).toBe(2);
  expect(JSON.parse(json.stdout.toString())).toMatchObject({ ok: false });
});
