/** `GET /nearest` below node:http, against node:http: whatever bytes come, in whatever parts, the same comes back on both ways. */
import { HttpServer, type HttpHandlers, type PlainReader } from "@meridian/http";
import { MeridianError } from "@meridian/protocol";
import { Metrics, silentLogger, systemClock } from "@meridian/runtime";
import { expectSameAnswers, httpConversations } from "@meridian/testkit";
import fc from "fast-check";
import { expect, it, onTestFinished, vi } from "vitest";

import { directoryHandlers } from "../src/http/directory-listener.ts";
import type { DirectoryService } from "../src/http/directory-service.ts";
import { CITIES, PARIS, serviceOf } from "./service.ts";

/** What follows the path. */
// oxfmt-ignore
const QUERIES: readonly string[] = [
  PARIS, PARIS, PARIS, `${PARIS}&limit=1`, `${PARIS}&limit=99`, "lat=0&lon=0", "lat=-90&lon=180",
  "lon=2&lat=1", "lat=91&lon=0", "lat=1.2.3&lon=0", "lat=-&lon=.", "lat=&lon=", "lat=%31&lon=2",
  "lat=1e1&lon=2", "lat=+1&lon=2", `${PARIS}&limit=0`, `${PARIS}&limit=1000`, `${PARIS}&limit=`,
  `${PARIS}&limit=01`, `${PARIS}&exclude=tokyo`, `${PARIS}&`, `${PARIS}&lat=1`, `${PARIS}#x`, "", "x=1",
];

const NEAREST = `GET /nearest?${PARIS} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const conversations = httpConversations({
  targets: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...QUERIES).map((query) => `/nearest?${query}`) },
    fc.constantFrom("/nearest", "//nearest?", "/Nearest?", `http://localhost/nearest?${PARIS}`),
  ),
  plain: NEAREST,
});

/** More of them, and others, for whoever looks for longer. */
const SEED = Number(process.env["PLAIN_SEED"] ?? 20);
const RUNS = Number(process.env["PLAIN_RUNS"] ?? 160);

async function served(handlers: HttpHandlers): Promise<number> {
  const server = new HttpServer({
    clock: systemClock,
    logger: silentLogger,
    metrics: new Metrics(),
    connectionsMax: 100,
    // Whoever sends half of something hears so soon.
    timeouts: { headersTimeout: 200, requestTimeout: 250, connectionsCheckingInterval: 20 },
    starting: new MeridianError("DIRECTORY_UNREACHABLE", "Not yet"),
  });
  await server.listen("127.0.0.1", 0);
  onTestFinished(() => server.close(0));
  server.handle(handlers);
  return server.port;
}

/** A directory twice: with plain reads, whose answers are counted, and without. */
async function both(
  service: DirectoryService,
): Promise<{ plain: number; node: number; reads: () => number }> {
  const { read, ...others } = directoryHandlers(service);
  const counted = vi.fn<PlainReader>(read ?? (() => undefined));
  const [plain, node] = [await served({ ...others, read: counted }), await served(others)];
  const reads = (): number =>
    counted.mock.results.filter(({ type, value }) => type === "return" && value).length;
  return { plain, node, reads };
}

it("comes back the same, whole, in parts and many at once, well-formed and mutilated", async () => {
  const { plain, node, reads } = await both(serviceOf(CITIES));
  const samples = fc.sample(conversations, { seed: SEED, numRuns: RUNS });
  for (let at = 0; at < samples.length; at += 20) {
    const some = samples.slice(at, at + 20);
    await Promise.all(some.map((parts) => expectSameAnswers(parts, plain, node)));
  }
  // Else this would say nothing of plain reads.
  expect(reads()).toBeGreaterThan(samples.length / 20);
});

it("has the nearest nodes, once for each request of a connection", async () => {
  const { plain, node, reads } = await both(serviceOf(CITIES));
  const answer = await expectSameAnswers([NEAREST, NEAREST], plain, node);
  expect(answer.match(/"id":"frankfurt"/g)).toHaveLength(2);
  expect(reads()).toBe(2);
});

it.each([
  ["no node is ready", serviceOf([])],
  [
    "the directory catches up with others",
    serviceOf(CITIES, { notReady: () => new MeridianError("DIRECTORY_SYNCING", "Not yet") }),
  ],
])("goes to the app where %s", async (_, service) => {
  const { plain, node, reads } = await both(service);
  expect(await expectSameAnswers([NEAREST], plain, node)).toMatch(/^HTTP\/1.1 503/);
  expect(reads()).toBe(0);
});
