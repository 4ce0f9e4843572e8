/** `GET /nearest` below node:http, against node:http: whatever bytes come, in whatever parts, the same comes back on both ways. */
import { MeridianError } from "@meridian/protocol";
import { expectSameAnswers, httpConversations } from "@meridian/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";

import { memberOf } from "./members.ts";
import { askInTurn, bothWays } from "./plain-ways.ts";
import { CITIES, PARIS, serviceOf } from "./service.ts";

/** What follows the path. */
// oxfmt-ignore
const QUERIES: readonly string[] = [
  PARIS, PARIS, PARIS, `${PARIS}&limit=1`, `${PARIS}&limit=99`, "lat=0&lon=0", "lat=-90&lon=180",
  "lon=2&lat=1", "lat=91&lon=0", "lat=1.2.3&lon=0", "lat=-&lon=.", "lat=&lon=", "lat=%31&lon=2",
  "lat=1e1&lon=2", "lat=+1&lon=2", "lat=-0&lon=-0", "lat=90.00&lon=-180", "lat=90.1&lon=0", "lat=0&lon=180.5",
  "lat=1.&lon=2", "lat=.5&lon=2", "lat=007&lon=2", "lat=1.23456789012345678901&lon=2", `${PARIS}&limit=0`, `${PARIS}&limit=1000`, `${PARIS}&limit=`,
  `${PARIS}&limit=01`, `${PARIS}&limit=100`, `${PARIS}&limit=101`, `${PARIS}&exclude=tokyo`, `${PARIS}&`, `${PARIS}&lat=1`, `${PARIS}#x`, "", "x=1",
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

it("comes back the same, whole, in parts and many at once, well-formed and mutilated", async () => {
  const { plain, node, reads } = await bothWays(serviceOf(CITIES));
  const samples = fc.sample(conversations, { seed: SEED, numRuns: RUNS });
  for (let at = 0; at < samples.length; at += 20) {
    const some = samples.slice(at, at + 20);
    await Promise.all(some.map((parts) => expectSameAnswers(parts, plain, node)));
  }
  // Else this would say nothing of plain reads.
  expect(reads()).toBeGreaterThan(samples.length / 20);
});

it("has the nearest nodes, once for each request of a connection", async () => {
  const { plain, node, reads } = await bothWays(serviceOf(CITIES));
  const [answers, expected] = [
    await askInTurn(plain, [NEAREST, NEAREST]),
    await askInTurn(node, [NEAREST, NEAREST]),
  ];
  expect(answers.map((answer) => answer.match(/"id":"frankfurt"/g)?.length)).toEqual([1, 1]);
  expect(answers).toEqual(expected);
  expect(reads()).toBe(2);
});

it.each([
  ["no node is ready", serviceOf([])],
  [
    "the directory catches up with others",
    serviceOf(CITIES, { notReady: () => new MeridianError("DIRECTORY_SYNCING", "Not yet") }),
  ],
])("goes to the app where %s", async (_, service) => {
  const { plain, node, reads } = await bothWays(service);
  expect(await expectSameAnswers([NEAREST], plain, node)).toMatch(/^HTTP\/1.1 503/);
  expect(reads()).toBe(0);
});

it("goes to the app where nobody tells the directory who is there", async () => {
  const { plain, node, reads } = await bothWays(serviceOf(CITIES, { unheardMs: () => 7_900 }));
  expect(await expectSameAnswers([NEAREST], plain, node)).toMatch(
    /^HTTP\/1.1 200.*\r\nage: 7\r\n/is,
  );
  expect(reads()).toBe(0);
});

it("is in ASCII, whatever URL a node names, and says the same", async () => {
  const url = "http://größe.example";
  const { plain, node, reads } = await bothWays(serviceOf([memberOf({ id: "a", url })]));
  const [answer = ""] = await askInTurn(plain, [NEAREST]);
  expect([answer]).toEqual(await askInTurn(node, [NEAREST]));
  expect(reads()).toBe(1);
  const { nodes } = JSON.parse(answer.split("\r\n\r\n")[1] ?? "") as {
    readonly nodes: readonly { readonly url: string }[];
  };
  expect(nodes.map((each) => each.url)).toEqual([url]);
});
