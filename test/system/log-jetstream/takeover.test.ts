/** Directories, regions and nats-servers as processes: some of them are killed, and nothing that was acknowledged is missing. */
import { cpSync, rmSync } from "node:fs";

import { FIVE_PLACES, getText, putValue, startCluster } from "@meridian/harness";
import { describe, expect, it, onTestFinished } from "vitest";

import {
  HAS_NATS,
  NATS_VERSION,
  NatsServers,
  type NatsOptions,
} from "../../support/nats-servers.ts";

const TWO_PLACES = FIVE_PLACES.slice(0, 2);

async function startServers(options?: NatsOptions): Promise<NatsServers> {
  const servers = new NatsServers(options);
  onTestFinished(() => servers.stop());
  await servers.start();
  return servers;
}

/** Starts a directory that has no regions. */
async function startDirectory(directoryArgs: readonly string[]): Promise<void> {
  await startCluster([], { directoryArgs });
}

interface DirectoryStatus {
  readonly logId: number;
  readonly epoch: number;
  readonly committedThrough: number;
  readonly stall: string | null;
}

async function statusOf(url: string): Promise<DirectoryStatus> {
  return (await (await fetch(`${url}/status`)).json()) as DirectoryStatus;
}

describe.skipIf(!HAS_NATS)(`a log on nats-server ${NATS_VERSION} (needs nats-server)`, () => {
  it("outlives its directory and the disk of it: the cluster goes on in the same log, and compares nothing", async () => {
    const servers = await startServers();
    const cluster = await startCluster(TWO_PLACES, { directoryArgs: [`--log=${servers.url}`] });
    const [one, two] = cluster.regions;
    if (!one || !two) throw new Error("Expected two regions");
    for (let each = 0; each < 50; each += 1) {
      await putValue(one.url, `key/${each}`, `value ${each}`, { ack: "directory" });
    }
    const before = await statusOf(cluster.directoryUrl);

    await cluster.killDirectory();
    await putValue(two.url, "meanwhile", "two");
    cluster.emptyDirectory();
    await cluster.startDirectory();

    await cluster.converged(51);
    const after = await statusOf(cluster.directoryUrl);
    expect(after.logId).toBe(before.logId);
    expect(after.epoch).not.toBe(before.epoch);
    expect(after.committedThrough).toBe(before.committedThrough + 1);
    expect(cluster.lines().filter((line) => line.includes("reconciles=true"))).toEqual([]);
    expect(await getText(one.url, "meanwhile")).toBe("two");
  });

  it("has lost nothing that it has acknowledged when the leader of three servers is killed under load", async () => {
    const servers = await startServers({ servers: 3 });
    const args = [`--log=${servers.url}`, "--log-replicas=3"];
    const cluster = await startCluster(TWO_PLACES, { directoryArgs: args });
    const [one, two] = cluster.regions;
    if (!one || !two) throw new Error("Expected two regions");
    const acknowledged: string[] = [];
    let isOver = false;
    const load = (async () => {
      for (let each = 0; !isOver; each += 1) {
        const key = `load/${each}`;
        // While the stream has no leader, an acknowledgement may take longer than a client waits: then it is none.
        const put = putValue(one.url, key, key, { ack: "directory" });
        if (await put.then(Boolean, () => false)) acknowledged.push(key);
      }
    })();
    await expect.poll(() => acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(50);
    await servers.kill((await servers.leaderOf("meridian-meridian")) ?? 0);
    const killedAt = acknowledged.length;
    await expect
      .poll(() => acknowledged.length, { timeout: 60_000 })
      .toBeGreaterThan(killedAt + 50);
    isOver = true;
    await load;

    await cluster.killDirectory();
    cluster.emptyDirectory();
    await cluster.startDirectory();
    await cluster.converged();
    for (const key of acknowledged) expect(await getText(two.url, key)).toBe(key);
  });
});

describe.skipIf(!HAS_NATS)(`a stream of nats-server ${NATS_VERSION} (needs nats-server)`, () => {
  it("that is set back to a copy is filled again by the regions, in a new epoch", async () => {
    const servers = await startServers();
    const cluster = await startCluster(TWO_PLACES, { directoryArgs: [`--log=${servers.url}`] });
    const [one, two] = cluster.regions;
    if (!one || !two) throw new Error("Expected two regions");
    await putValue(one.url, "old", "old", { ack: "all" });
    await cluster.stopDirectory();
    await servers.kill(0, "SIGTERM");
    cpSync(servers.storeOf(0), `${servers.folder}/copy`, { recursive: true });
    await servers.startServer(0);
    await cluster.startDirectory();
    await putValue(two.url, "new", "new", { ack: "all" });
    const before = await statusOf(cluster.directoryUrl);

    await cluster.stopDirectory();
    await servers.kill(0, "SIGTERM");
    rmSync(servers.storeOf(0), { recursive: true });
    cpSync(`${servers.folder}/copy`, servers.storeOf(0), { recursive: true });
    await servers.startServer(0);
    await cluster.startDirectory();
    await cluster.converged(2);
    const after = await statusOf(cluster.directoryUrl);
    expect([after.logId, after.epoch === before.epoch]).toEqual([before.logId, false]);
    expect(await getText(one.url, "new")).toBe("new");
  });

  it("says in words why it cannot be had", async () => {
    const plain = await startServers({ jetstream: false });
    await expect(startDirectory([`--log=${plain.url}`])).rejects.toThrow(
      "does not have JetStream enabled",
    );
    const one = await startServers();
    await expect(startDirectory([`--log=${one.url}`, "--log-replicas=3"])).rejects.toThrow(
      "one server alone",
    );
    const closed = await startServers({ config: "authorization { user: u, password: p }" });
    await expect(startDirectory([`--log=${closed.url}`])).rejects.toThrow(
      "refuses the credentials",
    );
  });
});
