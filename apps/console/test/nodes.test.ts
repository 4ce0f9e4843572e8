import { NODE_STATUSES } from "@meridian/protocol";
import { describe, expect, it } from "vitest";

import { newsOf } from "../page/pages/map/news.ts";
import { lagsWith, nodesAfter, type Nodes, type ShownNode } from "../page/pages/map/nodes.ts";
import { passedOver, whyNotOffered } from "../page/pages/map/offered.ts";
import { colourOf, lookOf, STATUS_LOOKS } from "../page/pages/map/shapes.ts";
import { flowsOf, framesText, legsOf } from "../page/pages/map/traffic.ts";

const OSLO = {
  id: "oslo",
  region: "north",
  url: "http://127.0.0.1:7401",
  ip: "127.0.0.1",
  port: 7401,
  lat: 59.9,
  lon: 10.8,
  status: "ready",
  goneSinceMs: null,
  lagMs: 3,
  load: { entries: 0, bytes: 0, requestsPerSecond: 0 },
  appliedThrough: 7,
  outboxPending: 0,
  skewMs: 0,
  peer: null,
  connectedAtMs: 1_700_000_000_000,
  bufferedBytes: 0,
  unsent: 0,
} satisfies ShownNode;

const nodesOf = (...nodes: readonly ShownNode[]): Nodes =>
  new Map(nodes.map((node) => [node.id, node]));

describe("a status", () => {
  it("has a shape of its own, whatever its colour", () => {
    const shown = Object.keys(STATUS_LOOKS);
    expect(shown.toSorted()).toEqual([...NODE_STATUSES, "gone"].toSorted());
    expect(new Set(Object.values(STATUS_LOOKS).map(({ shape }) => shape)).size).toBe(shown.length);
  });

  it.each(["unheard-of", "constructor", "__proto__", "<svg onload=alert(1)>"])(
    "of another version is shown, too: %s",
    (status) => {
      expect(lookOf(status).shape).toBe(STATUS_LOOKS.joining.shape);
      expect(colourOf(status)).toBe("is-joining");
    },
  );
});

describe("progress", () => {
  it("changes what is told of nodes that are there, and brings none back", () => {
    const before = nodesOf(OSLO);
    const told = { id: "oslo", lagMs: 40, load: OSLO.load, appliedThrough: 9, outboxPending: 2 };
    const data = JSON.stringify({ nodes: [told, { ...told, id: "rome" }] });
    const after = nodesAfter(before, { name: "progress", data });
    expect([...after.values()]).toEqual([
      { ...OSLO, lagMs: 40, appliedThrough: 9, outboxPending: 2 },
    ]);
  });

  it("is kept as the last lags of each node", () => {
    let lags = lagsWith(new Map(), nodesOf(OSLO));
    for (let lagMs = 0; lagMs < 100; lagMs += 1) lags = lagsWith(lags, nodesOf({ ...OSLO, lagMs }));
    expect(lags.get("oslo")).toHaveLength(60);
    expect(lags.get("oslo")?.at(-1)).toBe(99);
    expect(lagsWith(lags, nodesOf()).size).toBe(0);
  });
});

describe("who is not offered", () => {
  it.each([
    [{ ...OSLO, status: "draining" as const }, "it is draining"],
    [{ ...OSLO, load: { ...OSLO.load, refusing: true } }, "refuses requests"],
    [{ ...OSLO, lagMs: 10_000 }, "10,000 ms behind"],
  ])("is told with the reason", (node, why) => {
    expect(whyNotOffered(node, 10_000)).toContain(why);
  });

  it("is told if it is nearer than the first that is", () => {
    const rome = { ...OSLO, id: "rome", lat: 41.9, lon: 12.5 };
    const gone = { ...OSLO, status: "syncing" as const };
    const place = { lat: 60, lon: 11 };
    expect(passedOver(nodesOf(gone, rome), place, rome, 10_000)).toEqual([
      "oslo is nearer (16 km) and not offered: it is syncing.",
    ]);
    expect(passedOver(nodesOf(OSLO, rome), place, OSLO, 10_000)).toEqual([]);
  });
});

it("frames flow from those who sent them to all others, and only so many are drawn", () => {
  const frames = { from: { oslo: 2, rome: 1 }, to: { oslo: 1, rome: 2, bonn: 3 }, reached: 3 };
  expect(flowsOf(frames)).toEqual([
    { from: "oslo", to: "rome", count: 2 },
    { from: "oslo", to: "bonn", count: 2 },
    { from: "rome", to: "oslo", count: 1 },
    { from: "rome", to: "bonn", count: 1 },
  ]);
  expect(framesText(frames)).toBe("3 frames from oslo and 1 more to 3 nodes");
  expect(framesText({ from: { oslo: 1 }, to: {}, reached: 1 })).toBe("1 frame from oslo to 1 node");
  const many = Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`n${index}`, 1]));
  expect(flowsOf({ from: many, to: many, reached: 1_000 })).toHaveLength(200);
});

it("frames go by the place of their directory, if it has one, and where nodes have places", () => {
  const nodes = nodesOf(
    OSLO,
    { ...OSLO, id: "rome", lat: 41.9 },
    { ...OSLO, id: "bonn", lat: 50.7, lon: 7.1 },
  );
  const [oslo, rome, bonn] = [...nodes.values()];
  const frames = { from: { oslo: 2 }, to: { rome: 2, bonn: 1, unknown: 1 }, reached: 3 };
  expect(legsOf(frames, nodes, undefined)).toEqual([
    { from: oslo, to: rome, count: 2, isOnward: false },
    { from: oslo, to: bonn, count: 2, isOnward: false },
  ]);
  const lisbon = { lat: 38.7, lon: -9.1 };
  expect(legsOf(frames, nodes, lisbon)).toEqual([
    { from: oslo, to: lisbon, count: 2, isOnward: false },
    { from: lisbon, to: rome, count: 2, isOnward: true },
    { from: lisbon, to: bonn, count: 1, isOnward: true },
  ]);
  expect(legsOf(frames, nodes, bonn)).toEqual([
    { from: oslo, to: bonn, count: 2, isOnward: false },
    { from: bonn, to: rome, count: 2, isOnward: true },
  ]);
});

it("what has become of nodes is said in words, of many in few", () => {
  const gone = { ...OSLO, status: "draining" as const };
  expect(newsOf(nodesOf(OSLO), nodesOf(OSLO))).toBe("");
  expect(newsOf(nodesOf(OSLO), nodesOf(gone))).toBe("oslo is draining");
  expect(newsOf(nodesOf(OSLO), nodesOf())).toBe("oslo is forgotten");
  const many = nodesOf(...Array.from({ length: 9 }, (_, index) => ({ ...OSLO, id: `n${index}` })));
  expect(newsOf(nodesOf(), many)).toMatch(/^n0 is ready, .*n4 is ready, and 4 more have changed$/);
});
