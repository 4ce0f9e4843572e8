import { connect } from "@meridian/client";
import { describe, expect, it, onTestFinished } from "vitest";
import { startCluster, until } from "@meridian/harness";

describe("a client whose node is killed", () => {
  it("is answered by the next within its deadline, and reads what it wrote", async () => {
    const cluster = await startCluster();
    const [, victim] = cluster.regions;
    if (!victim) throw new Error("Expected regions");
    const { lat, lon } = victim.place;
    const client = await connect({ directory: cluster.directory.url, location: { lat, lon } });
    onTestFinished(() => client.close());
    expect(client.nodes[0]?.id).toBe(victim.id);

    for (let visit = 1; visit <= 50; visit += 1) {
      await client.set("visits", visit, { ack: visit === 50 ? "directory" : "local" });
      expect(await client.get("visits")).toBe(visit);
    }
    await victim.program.kill();
    const atMs = performance.now();
    expect(await client.get("visits")).toBe(50);
    console.log(
      `first answer ${(performance.now() - atMs).toFixed(0)} ms after the node was killed`,
    );

    for (let visit = 51; visit <= 100; visit += 1) {
      await client.set("visits", visit);
      expect(await client.get("visits")).toBe(visit);
    }

    await victim.start();
    await until("the node is offered", async () => (await cluster.offered()).includes(victim.id));
    expect(await client.get("visits")).toBe(100);

    // One that stops in order hands over what it has, and leaves nobody waiting either.
    const inOrder = cluster.region(client.nodes[0]?.id ?? "").program.stop();
    for (let visit = 101; visit <= 120; visit += 1) {
      await client.set("visits", visit);
      expect(await client.get("visits")).toBe(visit);
    }
    expect((await inOrder).code).toBe(0);
    expect(await client.get("visits")).toBe(120);
  });
});
