import { describe, expect, it } from "vitest";
import {
  getJson,
  getText,
  type ListedNode,
  putValue,
  type Region,
  request,
  startCluster,
  until,
} from "@meridian/harness";

/** Resolves to the line in which a region says that the directory refuses it. */
function refusalOf({ program }: Region): Promise<string> {
  return until("a line about the refusal", () =>
    program.lines.find((line) => line.includes("error the directory refuses this node")),
  );
}

describe("a region that the directory refuses", () => {
  it("says so and takes no writes: one of another cluster, and one whose id is taken", async () => {
    const cluster = await startCluster([{ id: "paris", lat: 48.9, lon: 2.4 }]);
    const [paris] = cluster.regions;
    if (!paris) throw new Error("Expected a region");
    await putValue(paris.url, "whose", "the first's");

    const rome = { id: "rome", lat: 41.9, lon: 12.5 };
    const stranger = await cluster.add({ ...rome, cluster: "other" });
    const impostor = await cluster.add({ ...paris.place, name: "second-paris" });
    expect(await refusalOf(stranger)).toMatch(
      /code=WRONG_CLUSTER why="Expected a node of cluster `meridian`, got one of `other`"/,
    );
    expect(await refusalOf(impostor)).toMatch(/code=NODE_ID_TAKEN why="[^"]*`paris`/);

    const codes = new Map([
      [stranger, "WRONG_CLUSTER"],
      [impostor, "NODE_ID_TAKEN"],
    ]);
    for (const [region, refusal] of codes) {
      await region.reaches("standalone");
      const readiness = await request(`${region.url}/readyz`);
      expect(readiness.status).toBe(503);
      expect(await readiness.json()).toMatchObject({ code: "NODE_REFUSED", refusal });
      const { replica } = await getJson<{ replica: object }>(`${region.url}/status`);
      expect(replica).toMatchObject({ connected: false, refusal, admission: "refused" });
      const write = await request(`${region.url}/cache/whose`, { method: "PUT", body: "mine" });
      expect(write.status).toBe(503);
      expect(await write.json()).toMatchObject({ code: "NODE_REFUSED", refusal });
    }
    const { nodes } = await getJson<{ nodes: ListedNode[] }>(`${cluster.directory.url}/nodes`);
    expect(nodes).toHaveLength(1);
    expect(nodes[0]).toMatchObject({ id: "paris", url: paris.url, status: "ready" });
    expect(await getText(paris.url, "whose")).toBe("the first's");
  });
});
