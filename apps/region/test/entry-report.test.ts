import { expect, it, onTestFinished } from "vitest";

import { jsonOf, testNode, type TestNode } from "./harness.ts";

async function started(): Promise<TestNode> {
  const region = await testNode();
  onTestFinished(() => region.close());
  return region;
}

const reportOf = async (region: TestNode, key: string): Promise<Record<string, unknown>> =>
  jsonOf(await region.request(`/entry?key=${key}`));

it("a key is told of in each of its states, and where it is", async () => {
  const region = await started();
  expect(await reportOf(region, "k")).toMatchObject({ state: "absent", tier: null, stamp: null });
  const put = await region.request("/cache/k?ttl=5", { method: "PUT", body: "four" });
  const live = await reportOf(region, "k");
  expect(live).toMatchObject({ state: "live", bytes: 4, etag: put.headers.get("etag") });
  expect(Number(live["expiresAtMs"]) - Number(live["nowMs"])).toBe(5_000);
  await region.request("/cache/k");
  expect(await reportOf(region, "k")).toMatchObject({ tier: "memory" });
  region.clock.advance(5_000);
  expect(await reportOf(region, "k")).toMatchObject({ state: "expired", tier: "store" });
  await region.request("/cache/k", { method: "DELETE" });
  expect(await reportOf(region, "k")).toMatchObject({ state: "deleted", bytes: 0 });
});

it("the way of a key is told while changes are kept, and else is not known", async () => {
  const region = await started();
  await region.request("/cache/k", { method: "PUT", body: "1" });
  expect(await reportOf(region, "k")).toMatchObject({ changes: null });
  const { watches } = region.node.service;
  const watch = watches.open(
    { watched: { key: "k" }, token: undefined },
    { isOpen: () => true, tell: () => {}, reload: () => {}, end: () => {} },
  );
  onTestFinished(() => watch.close());
  expect(await reportOf(region, "k")).toMatchObject({ changes: [] });
  await region.request("/cache/other", { method: "PUT", body: "1" });
  await region.request("/cache/k", { method: "PUT", body: "2" });
  await region.request("/cache/k", { method: "DELETE" });
  expect(await reportOf(region, "k")).toMatchObject({
    changes: [
      { event: "delete", writtenHere: true },
      { event: "set", writtenHere: true },
    ],
  });
});

it("a report asks for a key, and for one that clients may have", async () => {
  const region = await started();
  expect((await region.request("/entry")).status).toBe(400);
  expect((await region.request("/entry?key=%00")).status).toBe(400);
});
