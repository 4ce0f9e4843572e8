import { expect, it, onTestFinished } from "vitest";

import { startCluster } from "../src/start-cluster.ts";

it("a cluster for a program's own tests serves until it is stopped", async () => {
  const cluster = await startCluster({ regions: 2 });
  onTestFinished(() => cluster.stop());
  const { directories, regions } = cluster;
  expect(regions.map(({ id }) => id)).toEqual(["montreal", "frankfurt"]);
  const [montreal, frankfurt] = regions.map(({ url }) => url);
  const put = await fetch(`${montreal}/cache/k?ack=all`, { method: "PUT", body: "v" });
  expect(put.status).toBe(200);
  expect(await (await fetch(`${frankfurt}/cache/k`)).text()).toBe("v");
  const near = await fetch(`${directories[0]}/nearest?lat=50&lon=8&limit=1`);
  expect(await near.json()).toMatchObject({ nodes: [{ id: "frankfurt" }] });
  await cluster.stop();
  await expect(fetch(`${frankfurt}/healthz`)).rejects.toThrow("fetch failed");
});

it.each([0, 13, 1.5])("%s regions are refused", async (regions) => {
  await expect(startCluster({ regions })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});
