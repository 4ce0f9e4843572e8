/** A cluster moves its log from the directory's data folder into nats-servers, and back, while its regions serve. */
import { FIVE_PLACES, getJson, getText, putValue, startCluster } from "@meridian/harness";
import { describe, expect, it, onTestFinished } from "vitest";

import { HAS_NATS, NATS_VERSION, NatsServers } from "../../support/nats-servers.ts";

describe.skipIf(!HAS_NATS)(`a log on nats-server ${NATS_VERSION} (needs nats-server)`, () => {
  it("comes from a data folder and goes back there; regions serve meanwhile and lose nothing", async () => {
    const servers = new NatsServers();
    onTestFinished(() => servers.stop());
    await servers.start();
    // Each start of the directory reads them again.
    const directoryArgs: string[] = [];
    const cluster = await startCluster(FIVE_PLACES.slice(0, 2), { directoryArgs });
    const [one, two] = cluster.regions;
    if (!one || !two) throw new Error("Expected two regions");
    const status = async (): Promise<{ logId: number; committedThrough: number }> =>
      getJson(`${cluster.directoryUrl}/status`);
    let written = 0;
    const write = async (ack: "local" | "all"): Promise<void> => {
      written += 1;
      await putValue(one.url, `key/${written}`, `value ${written}`, { ack });
    };
    const restart = async (...args: string[]): Promise<void> => {
      await cluster.stopDirectory();
      directoryArgs.splice(0, directoryArgs.length, ...args);
      await write("local");
      expect(await getText(two.url, "key/1")).toBe("value 1");
      await cluster.startDirectory();
      await write("all");
    };
    await write("all");
    const { logId } = await status();
    const expectWhole = async (): Promise<void> => {
      const now = await status();
      expect(now.logId).toBe(logId);
      // On a busy machine, a region may not have heard yet that the log has its last entries. It sends them again, or compares.
      expect(now.committedThrough).toBeGreaterThanOrEqual(written);
    };

    await restart(`--log=${servers.url}`);
    const kept = (): boolean =>
      cluster.lines().some((line) => line.includes("a snapshot of the log is kept"));
    await expect.poll(kept, { timeout: 60_000 }).toBe(true);
    // The stream has all of it by now: an empty disk is filled from there.
    await cluster.stopDirectory();
    cluster.emptyDirectory();
    await cluster.startDirectory();
    await write("all");
    await expectWhole();

    await restart("--log=sqlite");
    await expectWhole();
    await restart();
    await cluster.converged(written);
    expect((await status()).logId).toBe(logId);
  });
});
