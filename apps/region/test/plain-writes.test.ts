/**
 * Writes that are answered below node:http, against node:http on a node of its own: whatever bytes come, in whatever parts, the same comes
 * back on both ways, and the same is stored. Requests are put together from what clients send and from what attackers do, and then
 * mutilated.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

import { converse as converseAt } from "@meridian/testkit";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";

import { testNode, type TestNode } from "./harness.ts";

/** A node, and a port at which it serves. */
interface Side {
  readonly region: TestNode;
  readonly port: number;
}

let plain: Side;
let node: Side;
let app: Side;

/** Three nodes that are alike, down to the stamps that they give: one answers plain requests below node:http, one by node:http, one by the app. */
beforeAll(async () => {
  // Whoever sends half of something hears so soon.
  const timeouts = { headersTimeout: 400, requestTimeout: 500, connectionsCheckingInterval: 20 };
  const start = async (appOnly: boolean, plainReads: boolean): Promise<Side> => {
    const region = await testNode({ valueBytesMax: 20_000, limits: { timeouts } });
    return { region, port: await region.serve(appOnly, plainReads) };
  };
  [plain, node, app] = [
    await start(false, true),
    await start(false, false),
    await start(true, true),
  ];
});
afterAll(async () => {
  for (const { region } of [plain, node, app]) await region.close();
});

/** Has a conversation with a side. Resolves to what comes back, without its dates. */
async function converse({ port }: Side, parts: readonly string[]): Promise<string> {
  return (await converseAt(port, parts)).replaceAll(/\r\nDate: [^\r]*/g, "");
}

/** Without the stamps and places of writes, whose order is another on each node, and without the ids of requests that have none. */
const timeless = (bytes: string): string =>
  bytes.replaceAll(
    /(?<=\r\nETag: )[^\r]*|(?<="etag":")[^,]*(?=",)|(?<=\r\nMeridian-Position: )[^\r]*|(?<=\r\nX-Request-Id: )[\da-f]{8}-[\da-f-]{27}/g,
    "",
  );

/** What a node holds of a key. */
async function heldAt({ region }: Side, key: string): Promise<unknown> {
  const answer = await region.request(`/cache/${key}`);
  const body = Buffer.from(await answer.arrayBuffer()).toString("latin1");
  if (answer.status !== 200) return answer.status;
  return [body, answer.headers.get("content-type"), answer.headers.get("meridian-expires-at")];
}

let conversation = 0;

/** Expects the same of both, and returns it. Where a server closes while its client still sends, the system may drop an answer: then again. */
async function expectSame(parts: readonly string[]): Promise<string> {
  let [read, expected]: unknown[] = [];
  for (let attempt = 0; attempt < 10; attempt += 1) {
    conversation += 1;
    const key = `k${String(conversation).padStart(6, "0")}`;
    const sent = parts.map((part) => part.replaceAll("KEY", key));
    const told = async (side: Side): Promise<unknown> => ({
      answers: timeless(await converse(side, sent)),
      held: await heldAt(side, key),
    });
    [read, expected] = await Promise.all([told(plain), told(node)]);
    if (JSON.stringify(read) === JSON.stringify(expected)) {
      return (read as { readonly answers: string }).answers;
    }
  }
  expect({ parts, read }).toEqual({ parts, read: expected });
  return "";
}

// oxfmt-ignore
const QUERIES: readonly string[] = [
  "", "", "", "", "?", "?ttl=1h", "?ttl=90", "?ttl=never", "?ttl=x", "?ttl=1h&ttl=1h", "?ack=local", "?ack=1&timeout=5s", "?ack=x",
  "?timeout=61s", "?stale=true", "?ttl=%31h", "?ttl=1+h", "?%74tl=5", "?ttl", "#x", "?ttl=\xe9", "?ttl=1h#x", "?ttl=1h?", "?ttl='1'",
];

const TARGETS = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...QUERIES).map((query) => `/cache/KEY${query}`) },
  fc.constantFrom("/cache", "/cache/", "/cache/.", "/cache/../KEY", "/cache/%2e", "/cache/KEY/"),
  fc.constantFrom("/Cache/KEY", "//cache/KEY", "http://localhost/cache/KEY", "/cache/a%20KEY"),
  fc.constantFrom("/cache/%00KEY", "/cache/%ff", "/cache/%zz", "/cache/K KEY", "/touch", "*"),
);

// oxfmt-ignore
const BODIES: readonly string[] = [
  "", "v", "value", "\0\xff\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "b".repeat(100), "l".repeat(8_200), "h".repeat(20_000), "i".repeat(20_001),
];

/** Headers that clients send with a plain write. */
// oxfmt-ignore
const PLAIN_LINES: readonly string[] = [
  "Content-Type: text/plain; charset=utf-8", "content-type: application/json", "Accept: */*", "User-Agent: curl/8.5.0",
  "accept-encoding: gzip, deflate", "sec-fetch-mode: cors", "Connection: keep-alive", "Meridian-Wait-Ms: 7",
  "Meridian-Deadline: 1767228000000",
  "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\ntracestate: a=b", "Authorization: Bearer nobody.asks",
];

/** Headers that make a write more than plain, and lines that are none. */
// oxfmt-ignore
const LINES: readonly string[] = [
  "If-None-Match: *", 'If-Match: "1.2"', "Content-Encoding: identity", "Content-Encoding: gzip", "Content-Range: bytes 0-1/3",
  "Content-Type: a\x80", `Content-Type: ${"t".repeat(300)}`, "Content-Length: 3", "Content-Length: 0", "Origin: https://a.example",
  "Transfer-Encoding: chunked", "Expect: 100-continue", "X-Request-Id: id-1", "Connection: close", "Host: evil.example",
  "Meridian-Deadline: 1", "Meridian-Deadline: soon",
  "Meridian-Position: nonsense", "Meridian-Wait-Ms: 10001", "Content-Type: ", "Content-Length : 3", "Accept: a\r\n b", "Accept: \0",
];

const REQUESTS = fc
  .record({
    method: fc.constantFrom("PUT", "PUT", "PUT", "PUT", "PUT", "PUT", "GET", "put", "POST"),
    target: TARGETS,
    version: fc.constantFrom("1.1", "1.1", "1.1", "1.1", "1.1", "1.1", "1.0"),
    lines: fc.array(
      fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom(...PLAIN_LINES) },
        fc.constantFrom(...LINES),
      ),
      { maxLength: 3 },
    ),
    body: fc.constantFrom(...BODIES),
    /** How the length of the body is told. */
    length: fc.constantFrom(
      ...Array.from({ length: 12 }, () => (bytes: number) => `Content-Length: ${bytes}`),
      (bytes: number) => `content-length: 0${bytes}`,
      (bytes: number) => `Content-Length: +${bytes}`,
      (bytes: number) => `Content-Length: ${Math.max(0, bytes - 1)}`,
      (bytes: number) => `Content-Length: ${bytes + 1}`,
      () => "Accept: nothing",
    ),
  })
  .map(({ method, target, version, lines, body, length }) => {
    const head = [`${method} ${target} HTTP/${version}`, "Host: localhost", ...lines];
    return `${[...head, length(body.length)].join("\r\n")}\r\n\r\n${body}`;
  });

const PLAIN = "PUT /cache/KEY HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nvalue";
const READ = "GET /cache/KEY HTTP/1.1\r\nHost: localhost\r\n\r\n";

const WOUND = fc.record({
  at: fc.nat({ max: 160 }),
  drop: fc.nat({ max: 3 }),
  put: fc.constantFrom("", "\r", "\n", "\r\n", " ", "\t", ":", "\0", "\x80", "%", "PUT ", PLAIN),
});

/** Conversations, each as the parts of bytes that a client sends. */
const CONVERSATIONS = fc
  .record({
    requests: fc.array(
      fc.oneof({ weight: 3, arbitrary: REQUESTS }, fc.constant(PLAIN), fc.constant(READ)),
      { minLength: 1, maxLength: 4 },
    ),
    /** Whether each is a part of its own, or all are cut at these places. */
    cuts: fc.oneof(
      { weight: 2, arbitrary: fc.constant(undefined) },
      fc.array(fc.nat({ max: 400 }), { maxLength: 3 }),
    ),
    wounds: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(WOUND, { maxLength: 2 })),
  })
  .map(({ requests: [first = "", ...rest], cuts, wounds }) => {
    let hurt = first;
    for (const { at, drop, put } of wounds) hurt = hurt.slice(0, at) + put + hurt.slice(at + drop);
    const parts = [hurt, ...rest].filter((part) => part !== "");
    if (cuts === undefined) return parts;
    const bytes = parts.join("");
    const edges = [0, ...cuts.filter((place) => place < bytes.length), bytes.length];
    const sorted = [...new Set(edges)].toSorted((a, b) => a - b);
    return sorted.slice(1).map((edge, index) => bytes.slice(sorted[index], edge));
  });

/** More of them, and others, for whoever looks for longer. */
const SEED = Number(process.env["PLAIN_SEED"] ?? 20);
const RUNS = Number(process.env["PLAIN_RUNS"] ?? 320);

it("come back the same, whole, in parts and many at once, well-formed and mutilated", async () => {
  const samples = fc.sample(CONVERSATIONS, { seed: SEED, numRuns: RUNS });
  let stored = 0;
  const check = async (parts: readonly string[]): Promise<void> => {
    if (/^HTTP\/1.1 200[^{]*\{"key"/.test(await expectSame(parts))) stored += 1;
  };
  for (let at = 0; at < samples.length; at += 20) {
    await Promise.all(samples.slice(at, at + 20).map(check));
  }
  // Else this would say nothing of writes.
  expect(stored).toBeGreaterThan(samples.length / 5);
}, 120_000);

const put = (path: string, body: string, ...lines: readonly string[]): string =>
  [
    `PUT ${path} HTTP/1.1`,
    "Host: localhost",
    ...lines,
    `Content-Length: ${Buffer.byteLength(body, "latin1")}`,
    "",
    body,
  ].join("\r\n");

it("of each kind come back with the same stamps and positions, the second time, too", async () => {
  const kinds = [
    put("/cache/exact", "value"),
    put("/cache/a%20b", "\0\xff"),
    put("/cache/%C3%A9", "accented", "Content-Type: text/plain"),
    put("/cache/none", ""),
    put("/cache/e?ttl=90", "short-lived"),
    put("/cache/local?ack=1&timeout=1s", "known to one"),
    put("/cache/wrong?ttl=x", "value"),
    put("/cache/strange?other=1", "value"),
    put("/cache/large", "l".repeat(20_001)),
    put("/cache/type", "value", `Content-Type: ${"t".repeat(300)}`),
    put("/cache/seen", "value", "Meridian-Position: p1.0.0.0.0.0"),
    put("/cache/place", "value", "Meridian-Position: nonsense"),
  ];
  for (const kind of kinds) {
    const [read, byNode, byApp] = await Promise.all(
      [plain, node, app].map((side) => converse(side, [kind, kind])),
    );
    expect(read).toContain("Meridian-Node: fra");
    // What was written before differs in its order from node to node, and so do positions.
    expect(timeless(read ?? "")).toEqual(timeless(byNode ?? ""));
    expect(timeless(read ?? "")).toEqual(timeless(byApp ?? ""));
  }
});

it("are answered below node:http, with and without options", async () => {
  let byNode = 0;
  const count = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket };
    if (socket.localPort === plain.port) byNode += 1;
  };
  subscribe("http.server.request.start", count);
  for (const path of ["below", "below?ttl=1h", "a%20b?ack=1&timeout=2s"]) {
    const request = put(`/cache/${path}`, "value", "Content-Type: text/plain", "Accept: */*");
    expect((await converse(plain, [request])).match(/HTTP\/1.1 200/g)).toHaveLength(2);
  }
  unsubscribe("http.server.request.start", count);
  // The requests that end the connections.
  expect(byNode).toBe(3);
});

it("are bytes of their own: what is stored stays when the client goes on", async () => {
  const [first, second] = [
    put("/cache/own1", "a".repeat(500)),
    put("/cache/own2", "b".repeat(500)),
  ];
  await converse(plain, [first, second, second]);
  expect(await heldAt(plain, "own1")).toEqual(["a".repeat(500), "application/octet-stream", null]);
});

it("are refused alike by a node that takes none, and the connections go on", async () => {
  const sides = await Promise.all(
    [true, false].map(async (plainReads): Promise<Side> => {
      const region = await testNode({ joining: true, standalone: false });
      return { region, port: await region.serve(false, plainReads) };
    }),
  );
  const long = "k".repeat(3_000);
  const requests = [put("/cache/a", "value"), put(`/cache/${long}`, "value"), put("/cache/b", "v")];
  const [read, byNode] = await Promise.all(sides.map((side) => converse(side, requests)));
  expect(read?.match(/HTTP\/1.1 \d+/g)?.slice(0, 3)).toEqual([
    "HTTP/1.1 503",
    "HTTP/1.1 400",
    "HTTP/1.1 503",
  ]);
  expect(timeless(read ?? "")).toEqual(timeless(byNode ?? ""));
  for (const { region } of sides) await region.close();
});

it("that wait for a disk which hangs are answered alike once patience is over, and once only", async () => {
  const answers = await Promise.all(
    [true, false].map(async (plainReads) => {
      const region = await testNode();
      const side = { region, port: await region.serve(false, plainReads) };
      const stall = region.stall();
      const read = converse(side, [put("/cache/late", "value")]);
      for (let turn = 0; turn < 100_000 && region.requests === 0; turn += 1) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      region.clock.advance(10_001);
      stall.end();
      const answer = await region.settle(read);
      await region.close();
      return answer;
    }),
  );
  expect(answers[0]).toContain('"mayHaveBeenApplied":true');
  expect(timeless(answers[0] ?? "")).toEqual(timeless(answers[1] ?? ""));
});
