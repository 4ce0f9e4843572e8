/** A cluster moves its log from the directory's data folder into nats-servers, and back, while its regions serve. */
import { FIVE_PLACES, getJson, getText, putValue, startCluster } from "@meridian/harness";
import { describe, expect, it, onTestFinished } from "vitest";

import { HAS_NATS, NATS_VERSION, NatsServers } from "../../support/nats-servers.ts";

describe.skipIf(!HAS_NATS)(`a log on nats-server ${NATS_VERSION} (needs nats-server)`, () => {
  it("comes from a data folder and goes back there; regions serve meanwhile, lose nothing and compare nothing", async () => {
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

    await restart(`--log=${servers.url}`);
    const kept = (): boolean =>
      cluster.lines().some((line) => line.includes("a snapshot of the log is kept"));
    await expect.poll(kept, { timeout: 60_000 }).toBe(true);
    // The stream has all of it by now: an empty disk is filled from there.
    await cluster.stopDirectory();
    cluster.emptyDirectory();
    await cluster.startDirectory();
    await write("all");
    expect(await status()).toMatchObject({ logId, committedThrough: written });

    await restart("--log=sqlite");
    expect(await status()).toMatchObject({ logId, committedThrough: written });
    await restart();
    await cluster.converged(written);
    expect((await status()).logId).toBe(logId);
    expect(cluster.lines().filter((line) => line.includes("reconciles=true"))).toEqual([]);
  });
});
