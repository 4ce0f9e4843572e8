/** A table of requests as bytes, to which both programs give the same answers. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type BothPrograms,
  exchangeRaw,
  type RawAnswer,
  readRaw,
  startBothPrograms,
} from "@meridian/harness";

let programs: BothPrograms;
beforeAll(async () => {
  programs = await startBothPrograms({ valueBytesMax: 1_000 });
});
afterAll(() => programs.stop());

interface Row {
  readonly what: string;
  /** The request line without the version. */
  readonly line?: string;
  /** Default: one `Host`. */
  readonly head?: string;
  readonly version?: string;
  readonly body?: string;
  readonly status: number;
  readonly code?: string;
}

const HOST = "Host: 127.0.0.1\r\n";
const OFFER = "Connection: Upgrade, HTTP2-Settings, close\r\n";

const rows: readonly Row[] = [
  { what: "a plain request", status: 200 },
  { what: "a whole URL", line: "GET http://localhost:1/healthz", status: 200 },
  { what: "HTTP/1.0 without a host", version: "1.0", head: "", status: 200 },
  {
    what: "an offer of HTTP/2",
    head: `${HOST}${OFFER}Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n`,
    status: 200,
  },
  {
    what: "an offer of a WebSocket where there is none",
    head: `${HOST}Connection: Upgrade, close\r\nUpgrade: websocket\r\n`,
    status: 200,
  },
  ...[
    "localhost",
    "LOCALHOST:7401",
    "a.localhost",
    "10.1.2.3:80",
    "[::1]:7401",
    "[0:0:0:0:0:0:0:1]:7401",
    "[::ffff:127.0.0.1]",
    "[fe80::1%25eth0]:7401",
    "[fe80::1%eth0]",
  ].map((host) => ({ what: `the host ${host}`, head: `Host: ${host}\r\n`, status: 200 })),
  {
    what: "a name that anybody can give this machine",
    head: "Host: evil.example.com\r\n",
    status: 403,
    code: "HOST_NOT_ALLOWED",
  },
  { what: "no host", head: "", status: 400, code: "INVALID_ARGUMENT" },
  {
    what: "two hosts",
    head: `${HOST}${HOST}`,
    status: 400,
    code: "INVALID_ARGUMENT",
  },
  { what: "a host that is none", head: "Host: a b\r\n", status: 400, code: "INVALID_ARGUMENT" },
  {
    what: "17 kB of cookies",
    head: `${HOST}Cookie: ${"c".repeat(17_000)}\r\n`,
    status: 431,
    code: "HEADERS_TOO_LARGE",
  },
  {
    what: "a zipped transfer",
    head: `${HOST}Transfer-Encoding: gzip, chunked\r\n`,
    body: "0\r\n\r\n",
    status: 501,
    code: "NOT_IMPLEMENTED",
  },
  {
    what: "a transfer coding in two lines",
    head: `${HOST}Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n`,
    body: "0\r\n\r\n",
    status: 501,
    code: "NOT_IMPLEMENTED",
  },
  {
    what: "an expectation that nobody knows",
    head: `${HOST}Expect: foo\r\n`,
    status: 417,
    code: "EXPECTATION_FAILED",
  },
  { what: "a tunnel", line: "CONNECT h:443", status: 405, code: "METHOD_NOT_ALLOWED" },
  {
    what: "a method that a path does not take",
    line: "POST /healthz",
    status: 405,
    code: "METHOD_NOT_ALLOWED",
  },
  { what: "no path", line: "OPTIONS *", status: 400, code: "INVALID_ARGUMENT" },
  { what: "a backslash", line: "GET /a\\b", status: 400, code: "INVALID_ARGUMENT" },
  { what: "a path that is not there", line: "GET /nowhere", status: 404, code: "ROUTE_NOT_FOUND" },
  { what: "dot segments", line: "GET /x/../healthz", status: 404, code: "ROUTE_NOT_FOUND" },
  {
    what: "escaped dot segments",
    line: "GET /x/%2e%2E/healthz",
    status: 404,
    code: "ROUTE_NOT_FOUND",
  },
  { what: "a bad escape", line: "GET /digest?after=%ff", status: 400, code: "INVALID_ARGUMENT" },
  { what: "half an escape", line: "GET /digest?after=%", status: 400, code: "INVALID_ARGUMENT" },
  {
    what: "an option twice",
    line: "GET /entries?limit=1&limit=2",
    status: 400,
    code: "INVALID_ARGUMENT",
  },
  {
    what: "a page that is not allowed",
    head: `${HOST}Origin: https://evil.example.com\r\n`,
    status: 403,
    code: "ORIGIN_NOT_ALLOWED",
  },
  { what: "an unknown option", line: "GET /status?verbose=1", status: 400, code: "UNKNOWN_OPTION" },
  { what: "another protocol", line: "*1\r\n$4\r\nPING", status: 400, code: "INVALID_ARGUMENT" },
];

async function ask(url: string, row: Row): Promise<RawAnswer> {
  const { line = "GET /healthz", head = HOST, version = "1.1", body = "" } = row;
  const close = /^connection:/im.test(head) ? "" : "Connection: close\r\n";
  const named = `${head}X-Request-Id: r-1\r\n${close}`;
  return readRaw(await exchangeRaw(url, `${line} HTTP/${version}\r\n${named}\r\n${body}`));
}

describe.each(["directory", "region"] as const)("a %s answers", (name) => {
  it.each(rows.map((row) => [row.what, row] as const))("%s", async (_, row) => {
    const answer = await ask(programs[name], row);
    expect(answer.status).toBe(row.status);
    expect(Number(answer.headers.get("content-length"))).toBe(
      Buffer.byteLength(answer.body, "latin1"),
    );
    const isFine = row.code === undefined;
    const body = isFine ? { status: "ok" } : { code: row.code, status: row.status };
    expect(JSON.parse(answer.body)).toMatchObject(body);
    const type = isFine ? "application/json" : "application/problem+json";
    expect(answer.headers.get("content-type")).toBe(type);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const isUnread = answer.status === 431 || answer.body.includes("what the parser calls");
    const id = isUnread ? /^[\da-f-]{36}$/ : /^r-1$/;
    expect(answer.headers.get("x-request-id")).toMatch(id);
  });

  it("HEAD with the length that GET has, and no body", async () => {
    for (const path of ["/healthz", "/openapi.json"]) {
      const get = await ask(programs[name], { what: "", line: `GET ${path}`, status: 200 });
      const head = await ask(programs[name], { what: "", line: `HEAD ${path}`, status: 200 });
      expect([head.status, head.body]).toEqual([200, ""]);
      expect(head.headers.get("content-length")).toBe(get.headers.get("content-length"));
      expect(Number(get.headers.get("content-length"))).toBeGreaterThan(0);
    }
  });
});

const json = (answer: RawAnswer): unknown => JSON.parse(answer.body);

const request = (line: string, head = "", body = ""): string =>
  `${line} HTTP/1.1\r\n${HOST}${head}Content-Length: ${body.length}\r\n\r\n${body}`;
const last = (line: string): string => `${line} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`;

describe("a region", () => {
  it("takes no dot segments for a key, escaped or not, and routes by the path as it was sent", async () => {
    for (const path of [
      "/cache/a/%2e%2e/b",
      "/cache/%2e%2e/status",
      "/cache/../status",
      "/cache/.",
      "/cache/a/.%2E",
    ]) {
      for (const method of ["GET", "PUT", "DELETE"]) {
        const answer = readRaw(await exchangeRaw(programs.region, last(`${method} ${path}`)));
        expect(answer.status).toBe(400);
        expect(json(answer)).toMatchObject({ code: "INVALID_KEY" });
      }
    }
    const kept = ["/cache/a%2F..%2Fb", "/cache/..a/b..", "/cache/a//b", "/cache/.../x"];
    for (const path of kept) {
      const bytes = await exchangeRaw(
        programs.region,
        request(`PUT ${path}`, "", "x") + last(`GET ${path}`),
      );
      expect(bytes.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    }
  });

  it("runs the pipelined requests of a connection in order", async () => {
    const batch = '{"entries":[{"key":"k","value":"two"}]}';
    const bytes = await exchangeRaw(
      programs.region,
      request("PUT /cache/k", "", "one") +
        request("GET /cache/k") +
        request("POST /batch/set", "", batch) +
        request("GET /cache/k") +
        request("DELETE /cache/k") +
        request("GET /cache/k") +
        request("POST /cache?key=k&value=three") +
        last("GET /cache/k"),
    );
    const statuses = bytes.match(/HTTP\/1\.1 \d+/g)?.map((line) => Number(line.slice(9)));
    expect(statuses).toEqual([200, 200, 200, 200, 200, 404, 200, 200]);
    expect(bytes.match(/\r\n\r\n(one|two|three)(?=HTTP|$)/g)).toEqual(
      ["one", "two", "three"].map((value) => `\r\n\r\n${value}`),
    );
  });
});

describe("a region that is asked to write", () => {
  it("reads lists of entity tags by their grammar", async () => {
    await exchangeRaw(programs.region, request("PUT /cache/tag", "Connection: close\r\n", "x"));
    const head = readRaw(await exchangeRaw(programs.region, last("HEAD /cache/tag")));
    const etag = head.headers.get("etag") ?? "";
    for (const [name, list, status] of [
      ["If-Match", '"a,*,b"', 412],
      ["If-Match", "a, *", 400],
      ["If-Match", '"a', 400],
      ["If-Match", `W/${etag}`, 412],
      ["If-None-Match", '"a,*,b"', 200],
      ["If-None-Match", "*, a", 400],
      ["If-None-Match", "*", 412],
      ["If-Match", `"a,b" , ,${etag}`, 200],
    ] as const) {
      const put = request("PUT /cache/tag", `Connection: close\r\n${name}: ${list}\r\n`, "x");
      expect([list, readRaw(await exchangeRaw(programs.region, put)).status]).toEqual([
        list,
        status,
      ]);
      if (list.includes(etag)) break;
    }
  });

  it("refuses a request while its body still arrives, and reads the body to its end", async () => {
    const body = Buffer.alloc(20_000_000, "x");
    for (const [line, head] of [
      ["PUT /cache/big", ""],
      ["PUT /cache/big?ttl=1h", ""],
      ["POST /batch/set", ""],
      ["PUT /cache/big", "Origin: https://evil.example.com\r\n"],
      ["PUT /nowhere", ""],
    ]) {
      const start = `${line} HTTP/1.1\r\n${HOST}${head}Content-Length: ${body.length}\r\n\r\n`;
      const answer = readRaw(await exchangeRaw(programs.region, start, body));
      expect([413, 403, 404]).toContain(answer.status);
      expect(json(answer)).toMatchObject({ status: answer.status });
      expect(answer.headers.get("connection")).toBe("close");
    }
  });
});
