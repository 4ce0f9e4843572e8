import { describe, expect, it } from "vitest";
import { type Cluster, getText, putValue, startCluster, until } from "@meridian/harness";

const OUT_WITHIN_MS = 2_000;

/** Does `deed` and measures how long the directory still offers the node after it. */
async function offeredFor(cluster: Cluster, id: string, deed: () => void): Promise<number> {
  const atMs = performance.now();
  deed();
  await until(`${id} is out of /nearest`, async () => !(await cluster.offered()).includes(id));
  return performance.now() - atMs;
}

describe("the nearest nodes", () => {
  it("are without a killed node within two seconds, and with it once it is back", async () => {
    const cluster = await startCluster();
    const [first, victim] = cluster.regions;
    if (!first || !victim) throw new Error("Expected regions");
    expect((await cluster.near(victim.place))[0]?.id).toBe(victim.id);

    let killed: Promise<void> | undefined;
    const offeredMs = await offeredFor(cluster, victim.id, () => {
      killed = victim.program.kill();
    });
    await killed;
    console.log(`killed: out of /nearest after ${offeredMs.toFixed(0)} ms`);
    expect(offeredMs).toBeLessThan(OUT_WITHIN_MS);
    expect(await cluster.offered()).toHaveLength(2);

    const { position } = await putValue(first.url, "missed", "by the victim");
    await victim.start();
    const [back] = await until("the node is back", async () => {
      const near = await cluster.near(victim.place);
      return near.length === 3 && near;
    });
    expect(back).toMatchObject({ id: victim.id, url: victim.url, status: "ready" });
    expect(await getText(victim.url, "missed", position)).toBe("by the victim");
  });

  it("are without an unreachable node within two seconds; it serves, and agrees when it is back", async () => {
    const cluster = await startCluster();
    const [first, victim] = cluster.regions;
    if (!first || !victim) throw new Error("Expected regions");
    await putValue(first.url, "before", "the cut");
    await cluster.converged(1);

    const offeredMs = await offeredFor(cluster, victim.id, () => victim.line.blackHole());
    console.log(`unreachable: out of /nearest after ${offeredMs.toFixed(0)} ms`);
    expect(offeredMs).toBeLessThan(OUT_WITHIN_MS);

    await putValue(first.url, "outside", "1");
    await putValue(first.url, "contested", "outside");
    expect(await getText(victim.url, "before")).toBe("the cut");
    await putValue(victim.url, "inside", "1");
    await victim.reaches("standalone");
    const last = await putValue(victim.url, "contested", "inside");
    expect(await getText(victim.url, "contested")).toBe("inside");
    expect(await getText(victim.url, "outside")).toBeUndefined();

    victim.line.heal();
    await cluster.converged(4);
    await until("the node is offered", async () => (await cluster.offered()).includes(victim.id));
    for (const { url } of cluster.regions) {
      expect(await getText(url, "contested", last.position)).toBe("inside");
      expect(await getText(url, "inside")).toBe("1");
      expect(await getText(url, "outside")).toBe("1");
    }
  });
});
