import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { connect } from "@meridian/client";
import { expect, onTestFinished, test } from "vitest";

import { run, serve, type Reply } from "./command.ts";
import manifest from "../package.json" with { type: "json" };

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

test.each([
  ["value", "value\n"],
  ["a line\n", "a line\n"],
  ["", "\n"],
])(
  "on a terminal, the prompt after the value %j comes on a line of its own",
  async (value, shown) => {
    const { url } = await serve({ "GET /cache/k": entry(Buffer.from(value)) });
    const { stdout } = await run(["get", "k", "--node", url], { isTerminal: true });
    expect(stdout.toString()).toBe(shown);
  },
);

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

test.each([
  ["1", "application/json"],
  ["-5.25", "application/json"],
  ["true", "application/json"],
  ['{"a": [1]}', "application/json"],
  ['"Ada"', "application/json"],
  ["Ada", "text/plain; charset=utf-8"],
  ["", "text/plain; charset=utf-8"],
  ["{a}", "text/plain; charset=utf-8"],
  // JSON has no such number, or a program would read another one.
  ["007", "text/plain; charset=utf-8"],
  ["1.0", "text/plain; charset=utf-8"],
  ["12345678901234567890", "text/plain; charset=utf-8"],
])("set k %j stores these bytes as %s", async (value, type) => {
  const { url, calls } = await serve({ "PUT /cache/k": { body: written } });
  await run(["set", "k", value, "--node", url]);
  expect(calls[0]).toMatchObject({ body: value, headers: { "content-type": type } });
  await run(["set", "k", value, "--type", "text", "--node", url]);
  expect(calls[1]?.headers["content-type"]).toBe("text/plain; charset=utf-8");
});

test("what set stores, a program reads as what it says", async () => {
  const { url, calls } = await serve({ "PUT /cache/k": { body: written } });
  for (const [argument, value] of [
    ["1", 1],
    ["Ada", "Ada"],
  ] as const) {
    await run(["set", "k", argument, "--node", url]);
    const call = calls.at(-1);
    const type = call?.headers["content-type"] ?? "";
    const { url: node } = await serve({
      "GET /cache/k": entry(Buffer.from(call?.body ?? ""), { "content-type": type }),
    });
    const client = await connect({ nodes: [node] });
    expect(await client.get("k")).toBe(value);
    client.close();
  }
});

test("set takes its value from the argument", async () => {
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

test("watch prints what becomes of keys, as it happens", async () => {
  const events = [
    `event: set\ndata: {"event":"set","key":"x/a","value":"1","encoding":"utf8","contentType":"application/json","etag":"\\"e1\\"","expiresAtMs":null}`,
    `event: delete\nid: c1.1.2\ndata: {"event":"delete","key":"x/a","etag":"\\"e2\\""}`,
    `event: reload\nid: c1.1.3\ndata: {}`,
  ];
  const { url, calls } = await serve({
    "GET /keys": { body: { keys: [], next: null } },
    "GET /watch": {
      body: Buffer.from(`retry: 1000\n\nid: c1.1.1\n\n:\n\n${events.join("\n\n")}\n\n`),
      headers: { "content-type": "text/event-stream" },
    },
  });
  const argv = ["watch", "--prefix", "x/", "--values", "--limit", "3", "--node", url];
  const plain = await run(argv);
  expect(plain.stderr).toBe("");
  expect(plain.stdout.toString().split("\n")).toEqual([
    `set "x/a" 1`,
    `delete "x/a"`,
    "reload: something may have been missed; read anew",
    "",
  ]);
  expect(calls.at(-1)?.url).toBe("/watch?prefix=x%2F&values=true");
  const json = await run([...argv, "--json"]);
  expect(JSON.parse(json.stdout.toString().split("\n")[1] ?? "")).toEqual({
    event: "delete",
    key: "x/a",
    etag: "e2",
  });
  expect((await run(["watch", "a", "--prefix", "b", "--node", url])).exitCode).toBe(2);
});

test("help goes to stdout and is a success, for every command", async () => {
  for (const command of ["", "get", "set", "del", "keys", "watch", "nodes", "status", "dev"]) {
    const { exitCode, stdout, stderr } = await run([
      ...(command === "" ? [] : [command]),
      "--help",
    ]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout.toString()).toMatch(new RegExp(`^Usage: meridian ${command}`));
  }
});

test.each([[["--version"]], [["version"]]])("%j is the version of the package", async (argv) => {
  const { exitCode, stdout } = await run(argv);
  expect([exitCode, stdout.toString()]).toEqual([0, `${manifest.version}\n`]);
});

test("help is a command, too, and explains others", async () => {
  const all = await run(["help"]);
  expect([all.exitCode, all.stderr]).toEqual([0, ""]);
  expect(all.stdout.toString()).toBe((await run(["--help"])).stdout.toString());
  const one = await run(["help", "set"]);
  expect([one.exitCode, one.stdout.toString()]).toEqual([
    0,
    (await run(["set", "--help"])).stdout.toString(),
  ]);
});

test("drill without a name says what there is, runs nothing, and is no proof", async () => {
  for (const argv of [["drill"], ["drill", "run"]]) {
    const { exitCode, stdout, stderr } = await run(argv);
    expect([exitCode, stdout.length]).toEqual([2, 0]);
    expect(stderr).toMatch(/Expected the names of drills, or `all`/);
    expect(stderr).toContain((await run(["drill", "list"])).stdout.toString());
  }
});

function fileWith(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "meridian-cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
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
  expect(lines[3]).toMatch(
    /^primary +https:\/\/directory-1\.example\.com:7400 +0\.0\.0\.0:7400 +- +priority 1, 38\.7223, -9\.1393$/,
  );
  expect(lines.at(-2)).toMatch(
    /^sydney +https:\/\/sydney\.example\.com +127\.0\.0\.1:7401 +\/var\/lib.* -33\.8688, 151\.2093$/,
  );
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
