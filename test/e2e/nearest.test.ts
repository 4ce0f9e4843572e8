import { describe, expect, it } from "vitest";
import { type Cluster, getText, putValue, startCluster, until } from "@meridian/harness";

/** Resolves once the directory does not offer the node any more. How long that takes, the tests of leases say by a clock of their own. */
async function withdrawn(cluster: Cluster, id: string): Promise<void> {
  await until(`${id} is out of /nearest`, async () => !(await cluster.offered()).includes(id));
}

describe("the nearest nodes", () => {
  it("are without a killed node, and with it once it is back", async () => {
    const cluster = await startCluster();
    const [first, victim] = cluster.regions;
    if (!first || !victim) throw new Error("Expected regions");
    expect((await cluster.near(victim.place))[0]?.id).toBe(victim.id);

    await victim.program.kill();
    await withdrawn(cluster, victim.id);
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

  it("are without an unreachable node; it serves, and agrees when it is back", async () => {
    const cluster = await startCluster();
    const [first, victim] = cluster.regions;
    if (!first || !victim) throw new Error("Expected regions");
    await putValue(first.url, "before", "the cut");
    await cluster.converged(1);

    victim.line.blackHole();
    await withdrawn(cluster, victim.id);

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
