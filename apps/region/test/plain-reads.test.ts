/**
 * Reads that are answered below node:http, against node:http: whatever bytes come, in whatever parts, the same comes back
 * on both ways. Requests are put together from what clients send and from what attackers do, and then mutilated.
 */
import { expectSameAnswers, httpConversations } from "@meridian/testkit";
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

/** Expects the same of both. */
const expectSame = (parts: readonly string[], other: number = node): Promise<string> =>
  expectSameAnswers(parts, plain, other);

/** What follows the path of keys. */
// oxfmt-ignore
const KEYS: readonly string[] = [
  "k", "k", "k", "a%20b", "e", "none", "large", "huge", "missing", "%6B", "k?stale=true", "k?",
  "", ".", "../k", "%2e", "k/", "k#x", "%", "%zz", "%ff", "%00", "k k", "k\\", "a+b", "\xe9",
];

const conversations = httpConversations({
  targets: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...KEYS).map((each) => `/cache/${each}`) },
    fc.constantFrom("/cache", "//cache/k", "/Cache/k", "http://localhost/cache/k"),
  ),
  plainLines: [
    "Meridian-Wait-Ms: 7",
    "Meridian-Deadline: 1",
    "meridian-position: POSITION",
    "Meridian-Position: POSITION\r\nMeridian-Wait-Ms: 10000",
  ],
  lines: ["Meridian-Position: nonsense", "Meridian-Wait-Ms: 10001", "Meridian-Wait-Ms: 007"],
  plain: "GET /cache/k HTTP/1.1\r\nHost: localhost\r\n\r\n",
});

/** More of them, and others, for whoever looks for longer. */
const SEED = Number(process.env["PLAIN_SEED"] ?? 20);
const RUNS = Number(process.env["PLAIN_RUNS"] ?? 320);

it("come back the same, whole, in parts and many at once, well-formed and mutilated", async () => {
  const samples = fc.sample(conversations, { seed: SEED, numRuns: RUNS });
  let hits = 0;
  const check = async (parts: (typeof samples)[number]): Promise<void> => {
    const answer = await expectSame(parts.map((part) => part.replaceAll("POSITION", position)));
    if (answer.startsWith("HTTP/1.1 200") && answer.includes("Meridian-Cache: memory")) hits += 1;
  };
  for (let at = 0; at < samples.length; at += 20) {
    await Promise.all(samples.slice(at, at + 20).map(check));
  }
  // Else this would say nothing of hits.
  expect(hits).toBeGreaterThan(samples.length / 5);
});

it("of each kind of value come back the same, the second time, too", async () => {
  for (const path of ["k", "a%20b", "e", "none", "large", "huge", "missing", "%6B"]) {
    const bytes = `GET /cache/${path} HTTP/1.1\r\nHost: localhost\r\nMeridian-Position: ${position}\r\n\r\n`;
    for (const other of [node, app]) {
      expect(await expectSame([bytes, bytes], other)).toContain("Meridian-Node: fra");
    }
  }
});
