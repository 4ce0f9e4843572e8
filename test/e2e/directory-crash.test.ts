import { describe, expect, it } from "vitest";
import {
  type Cluster,
  deleteValue,
  FIVE_PLACES,
  getText,
  getValue,
  putValue,
  type Region,
  startCluster,
} from "@meridian/harness";

const DOWN_MS = 5_000;
/** Between two turns of every region: a second has some eight. */
const TURN_PAUSE_MS = 100;

/** Reads, writes, overwrites and deletes on one region, and checks every answer. Returns how many keys it has made. */
async function useRegion({ id, url }: Region, turn: number): Promise<number> {
  const key = `down/${id}/${turn}`;
  await putValue(url, key, `${id} ${turn}`);
  expect(await getText(url, key)).toBe(`${id} ${turn}`);
  expect(await getText(url, `before/${id}`)).toBe(id);
  await putValue(url, "contested", `${id} ${turn}`);
  expect(await getText(url, "contested")).toBe(`${id} ${turn}`);
  await putValue(url, `gone/${id}`, "soon");
  await deleteValue(url, `gone/${id}`);
  expect(await getText(url, `gone/${id}`)).toBeUndefined();
  return 1;
}

async function seed(cluster: Cluster): Promise<number> {
  for (const { id, url } of cluster.regions) await putValue(url, `before/${id}`, id);
  await cluster.converged(cluster.regions.length);
  return cluster.regions.length;
}

/** The version and value of a key, once for each region that has another. */
async function versionsOf(cluster: Cluster, key: string): Promise<ReadonlySet<string>> {
  const all = await Promise.all(cluster.regions.map(({ url }) => getValue(url, key)));
  return new Set(all.map((one) => `${one?.etag} ${Buffer.from(one?.value ?? []).toString()}`));
}

describe("a directory that is killed", () => {
  it("is missed by no client for five seconds, and then all regions agree", async () => {
    const cluster = await startCluster(FIVE_PLACES);
    let keys = await seed(cluster);

    await cluster.killDirectory();
    await Promise.all(cluster.regions.map((region) => region.reaches("standalone")));
    const downAtMs = performance.now();
    let turns = 0;
    while (performance.now() - downAtMs < DOWN_MS) {
      turns += 1;
      const made = cluster.regions.map((region) => useRegion(region, turns));
      for (const count of await Promise.all(made)) keys += count;
      await new Promise((resolve) => setTimeout(resolve, TURN_PAUSE_MS));
    }
    expect(turns).toBeGreaterThan(3);
    expect((await versionsOf(cluster, "contested")).size).toBe(FIVE_PLACES.length);

    await cluster.startDirectory();
    const { count } = await cluster.converged(keys + 1 + FIVE_PLACES.length);
    expect(count).toBeGreaterThan(turns * FIVE_PLACES.length);
    expect((await versionsOf(cluster, "contested")).size).toBe(1);
    await Promise.all(cluster.regions.map((region) => region.reaches("ready")));
    for (const { url } of cluster.regions) {
      for (const { id } of cluster.regions) {
        expect(await getText(url, `down/${id}/${turns}`)).toBe(`${id} ${turns}`);
        expect(await getText(url, `gone/${id}`)).toBeUndefined();
      }
    }
  });

  it("and replaced by an empty one is filled again by the regions", async () => {
    const cluster = await startCluster();
    const keys = await seed(cluster);
    const [first, second, third] = cluster.regions;
    if (!first || !second || !third) throw new Error("Expected three regions");
    const values = Array.from({ length: 300 }, (_, index) => `value ${index}`);
    for (const [index, value] of values.entries())
      await putValue(first.url, `many/${index}`, value);
    await deleteValue(first.url, "many/0");
    await cluster.converged(keys + values.length);

    await cluster.killDirectory();
    await putValue(second.url, "meanwhile", "second");
    await putValue(third.url, "many/1", "third");
    cluster.emptyDirectory();
    await cluster.startDirectory();

    await cluster.converged(keys + values.length + 1);
    await Promise.all(cluster.regions.map((region) => region.reaches("ready")));
    for (const { url } of cluster.regions) {
      expect(await getText(url, "meanwhile")).toBe("second");
      expect(await getText(url, "many/0")).toBeUndefined();
      expect(await getText(url, "many/1")).toBe("third");
      expect(await getText(url, "many/299")).toBe("value 299");
    }
    // And the new log carries on.
    const { position } = await putValue(third.url, "after", "all");
    expect(await getText(first.url, "after", position)).toBe("all");
  });
});
