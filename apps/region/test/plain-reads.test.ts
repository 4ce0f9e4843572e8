/**
 * Reads that are answered below node:http, against node:http: whatever bytes come, in whatever parts, the same comes back
 * on both ways. Requests are put together from what clients send and from what attackers do, and then mutilated.
 */
import { connect } from "node:net";

import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";

import { testNode, type TestNode } from "./harness.ts";

let region: TestNode;
let plain: number;
let node: number;
let app: number;
let position = "";
beforeAll(async () => {
  // Whoever sends half of something hears so soon.
  const timeouts = { headersTimeout: 200, requestTimeout: 250, connectionsCheckingInterval: 20 };
  region = await testNode({ valueBytesMax: 100_000, limits: { timeouts } });
  const put = async (path: string, body: string | Uint8Array, type?: string): Promise<void> => {
    const headers = type === undefined ? {} : { "content-type": type };
    const answer = await region.request(path, { method: "PUT", body, headers });
    expect(answer.status).toBe(200);
    position = answer.headers.get("meridian-position") ?? "";
  };
  await put("/cache/k", "value", "text/plain; charset=utf-8");
  await put(
    "/cache/a%20b",
    Uint8Array.from({ length: 256 }, (_, byte) => byte),
  );
  await put("/cache/e?ttl=90", "short-lived");
  await put("/cache/none", "");
  await put("/cache/large", "l".repeat(10_000));
  await put("/cache/huge", "h".repeat(40_000));
  region.clock.advance(2_500);
  plain = await region.serve();
  node = await region.serve(false, false);
  app = await region.serve(true);
});
afterAll(() => region.close());

const LAST = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/** Sends parts, each as one chunk, and one request more that ends the connection. */
function converse(port: number, parts: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => {});
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
    const sendNext = async (): Promise<void> => {
      for (const part of [...parts, LAST]) {
        if (!socket.writable) return;
        socket.write(Buffer.from(part, "latin1"));
        // The server runs in the turns of this very loop: so that it nearly always sees the part as one chunk.
        for (let turn = 0; turn < 10; turn += 1) await new Promise((done) => setImmediate(done));
      }
    };
    socket.on("connect", () => void sendNext());
  });
}

/** Without what differs from one answer to the next: the time, and the ids of requests that have none of their own. */
const timeless = (bytes: string): string =>
  bytes.replaceAll(/\r\nDate: [^\r]*|(?<=\r\nX-Request-Id: )[\da-f]{8}-[\da-f-]{27}/g, "");

/** Expects the same of both. Where a server closes while its client still sends, the system may drop an answer: then again. */
async function expectSame(parts: readonly string[], other: number = node): Promise<string> {
  let [read, expected] = ["", ""];
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const both = await Promise.all([converse(plain, parts), converse(other, parts)]);
    [read = "", expected = ""] = both.map(timeless);
    if (read === expected) return read;
  }
  expect({ parts, read }).toEqual({ parts, read: expected });
  return read;
}

/** What follows the path of keys. */
// oxfmt-ignore
const KEYS: readonly string[] = [
  "k", "k", "k", "a%20b", "e", "none", "large", "huge", "missing", "%6B", "k?stale=true", "k?",
  "", ".", "../k", "%2e", "k/", "k#x", "%", "%zz", "%ff", "%00", "k k", "k\\", "a+b", "\xe9",
];

const key = fc.constantFrom(...KEYS);
const target = fc.oneof(
  { weight: 8, arbitrary: key.map((each) => `/cache/${each}`) },
  fc.constantFrom(
    "/healthz",
    "/cache",
    "//cache/k",
    "/Cache/k",
    "http://localhost/cache/k",
    "*",
    "/readyz?",
    "",
  ),
);
/** Headers that are more than plain, and lines that are none. */
// oxfmt-ignore
const LINES: readonly string[] = [
  "Host: localhost", "Host:", "Host: evil.example", "Host: [::1]:7", "Host: a b",
  "If-None-Match: *", "Range: bytes=0-1", "X-Request-Id: id-1", "Origin: https://a.example",
  "Meridian-Position: nonsense", "Meridian-Wait-Ms: 10001", "Meridian-Wait-Ms: 007",
  "Content-Length: 0", "Content-Length: 3", "Content-Length: 3\r\nContent-Length: 4",
  "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding : x",
  "Connection: close", "Connection: upgrade\r\nUpgrade: h2c", "Expect: 100-continue",
  "Accept: a\r\n b", " Accept: a", "Accept", "Accept: \xe9", "Accept:\ta", "Accept: a\rb",
  "Accept: a\nX: b", "Accept: \0", ": x", "Accept: ", "Keep-Alive: timeout=1", "TE: trailers",
];

const line = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      "User-Agent: curl/8.5.0",
      "Accept: */*",
      "accept-encoding: gzip, deflate",
      "accept-language: *",
      "sec-fetch-mode: cors",
      "Connection: keep-alive",
      "Meridian-Wait-Ms: 7",
      "meridian-position: POSITION",
      "Meridian-Position: POSITION\r\nMeridian-Wait-Ms: 10000",
      "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
      "Authorization: Bearer nobody.asks.here",
    ),
  },
  fc.constantFrom(...LINES),
);
const request = fc
  .record({
    method: fc.constantFrom("GET", "GET", "GET", "GET", "GET", "HEAD", "OPTIONS", "get", "POST"),
    target,
    version: fc.constantFrom("1.1", "1.1", "1.1", "1.1", "1.0", "2.0", "1.1 "),
    host: fc.constantFrom("Host: localhost\r\n", "host: 127.0.0.1:80\r\n", ""),
    lines: fc.array(line, { maxLength: 3 }),
    end: fc.constantFrom("\r\n", "\r\n", "\r\n", "\r\n", "\n", "", "\r\nabc", "\r\n\r\n"),
  })
  .map(
    ({ method, target: asked, version, host, lines, end }) =>
      `${method} ${asked} HTTP/${version}\r\n${host}${lines.map((each) => `${each}\r\n`).join("")}${end}`,
  );
const PLAIN = "GET /cache/k HTTP/1.1\r\nHost: localhost\r\n\r\n";
const some = fc.oneof({ weight: 2, arbitrary: request }, fc.constant(PLAIN));

/** More of them, and others, for whoever looks for longer. */
const SEED = Number(process.env["PLAIN_SEED"] ?? 20);
const RUNS = Number(process.env["PLAIN_RUNS"] ?? 320);

/** What is done to the bytes: so many replaced by others at a place. */
const wound = fc.record({
  at: fc.nat({ max: 200 }),
  drop: fc.nat({ max: 3 }),
  put: fc.constantFrom("", "\r", "\n", "\r\n", " ", "\t", ":", "\0", "\x80", "%", "GET ", PLAIN),
});

it("come back the same, whole, in parts and many at once, well-formed and mutilated", async () => {
  const conversation = fc.record({
    requests: fc.array(some, { minLength: 1, maxLength: 4 }),
    /** Whether each is a part of its own, or all are cut at these places. */
    cuts: fc.oneof(fc.constant(undefined), fc.array(fc.nat({ max: 300 }), { maxLength: 3 })),
    wounds: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, fc.array(wound, { maxLength: 2 })),
  });
  const samples = fc.sample(conversation, { seed: SEED, numRuns: RUNS });
  let hits = 0;
  const check = async ({ requests, cuts, wounds }: (typeof samples)[number]): Promise<void> => {
    const told = requests.map((each) => each.replaceAll("POSITION", position));
    const [first = "", ...rest] = told;
    let hurt = first;
    for (const { at, drop, put } of wounds) hurt = hurt.slice(0, at) + put + hurt.slice(at + drop);
    const parts = [hurt, ...rest].filter((part) => part !== "");
    const answer = await expectSame(cuts === undefined ? parts : cutAt(parts.join(""), cuts));
    if (answer.startsWith("HTTP/1.1 200") && answer.includes("Meridian-Cache: memory")) hits += 1;
  };
  for (let at = 0; at < samples.length; at += 20) {
    await Promise.all(samples.slice(at, at + 20).map(check));
  }
  // Else this would say nothing of hits.
  expect(hits).toBeGreaterThan(samples.length / 5);
});

function cutAt(bytes: string, places: readonly number[]): string[] {
  const edges = [0, ...places.filter((place) => place < bytes.length), bytes.length];
  const sorted = [...new Set(edges)].toSorted((a, b) => a - b);
  return sorted.slice(1).map((edge, index) => bytes.slice(sorted[index], edge));
}

it("of each kind of value come back the same, the second time, too", async () => {
  for (const path of ["k", "a%20b", "e", "none", "large", "huge", "missing", "%6B"]) {
    const bytes = `GET /cache/${path} HTTP/1.1\r\nHost: localhost\r\nMeridian-Position: ${position}\r\n\r\n`;
    for (const other of [node, app]) {
      expect(await expectSame([bytes, bytes], other)).toContain("Meridian-Node: fra");
    }
  }
});
