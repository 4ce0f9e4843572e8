/** A log whose stream lies at other servers than those that the directory is connected to. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { FIVE_PLACES, getText, putValue, startCluster } from "@meridian/harness";
import { placeArguments, type Program, regionArguments, until } from "@meridian/local-cluster";
import { describe, expect, it, onTestFinished } from "vitest";

import { freePort } from "../../support/free-port.ts";
import {
  HAS_NATS,
  NATS_VERSION,
  NatsServers,
  type NatsOptions,
} from "../../support/nats-servers.ts";
import { reachesLog, start } from "../../support/spawned.ts";

async function startServers(options: NatsOptions): Promise<NatsServers> {
  const servers = new NatsServers(options);
  onTestFinished(() => servers.stop());
  await servers.start();
  return servers;
}

/** Puts a value through a log at these servers, and reads it elsewhere after the directory has lost its disk. */
async function expectLog(servers: NatsServers, more: readonly string[] = []): Promise<void> {
  const places = FIVE_PLACES.slice(0, 2);
  const directoryArgs = [`--log=${servers.url}`, ...more];
  const cluster = await startCluster(places, { directoryArgs });
  const [one, two] = cluster.regions;
  if (!one || !two) throw new Error("Expected two regions");
  await putValue(one.url, "k", "v", { ack: "directory" });
  await cluster.killDirectory();
  cluster.emptyDirectory();
  await cluster.startDirectory();
  await putValue(one.url, "l", "w", { ack: "directory" });
  await cluster.converged(2);
  expect(await getText(two.url, "l")).toBe("w");
}

describe.skipIf(!HAS_NATS)(`a log on nats-server ${NATS_VERSION} (needs nats-server)`, () => {
  it("is reached through a leaf node that has no JetStream", async () => {
    const port = await freePort();
    const config = `leafnodes { listen: "127.0.0.1:${port}" }`;
    const hub = await startServers({ domain: "hub", config });
    const remote = `remotes: [{ url: "nats-leaf://127.0.0.1:${port}" }]`;
    const leaf = await startServers({ jetstream: false, config: `leafnodes { ${remote} }` });
    await expectLog(leaf, ["--log-domain=hub", "--log-replicas=1"]);
    expect(await hub.stateOf("meridian-meridian")).toMatchObject({ first_seq: 1 });
    expect(await leaf.stateOf("meridian-meridian")).toBeUndefined();
  });

  it("in a cluster of servers is served and taken over through a gateway from one that has no JetStream", async () => {
    const port = await freePort();
    // Of a server alone, the name of its gateway is that of its cluster.
    const gateway = `gateway { name: far, listen: "127.0.0.1:${port}" }`;
    const far = await startServers({ name: "far", jetstream: false, config: gateway });
    const known = `gateways: [{ name: far, url: "nats://127.0.0.1:${port}" }]`;
    const config = `gateway { name: meridian, listen: "127.0.0.1:-1", ${known} }`;
    const near = await startServers({ servers: 3, config });
    await until("JetStream has a leader", () => near.hasLeader());
    const folder = mkdtempSync(join(tmpdir(), "meridian-gateway-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const ports = [await freePort(), await freePort()];
    const urls = ports.map((each) => `http://127.0.0.1:${each}`);
    const placed = (index: number, name: string): readonly string[] =>
      placeArguments("127.0.0.1", ports[index] ?? 0, join(folder, name));
    const first = await start("directory", "near", [...placed(0, "near"), `--log=${near.url}`]);
    await first.listens();
    const second = await start("directory", "far", [...placed(1, "far"), `--log=${far.url}`]);
    await until("the second directory stands by", () => second.status === "standby");
    const [one, two] = await Promise.all(
      FIVE_PLACES.slice(0, 2).map(async (place, index) => {
        const args = regionArguments(place, index === 0 ? urls : urls.toReversed());
        const region = await start("region", place.id, [...placed(2, place.id), ...args]);
        await region.listens();
        return region;
      }),
    );
    if (one === undefined || two === undefined) throw new Error("Expected two regions");
    const has = async ({ url }: Program, key: string): Promise<boolean> =>
      (await fetch(`${url}/cache/${key}`)).ok;
    await until("a write is acknowledged", () => reachesLog(one, "k"));
    await until("the other region has it", () => has(two, "k"));
    await first.kill();
    await until("the second directory has taken over", () => reachesLog(two, "l"), 60_000);
    await until("the first region has it", () => has(one, "l"), 60_000);
    await until("all servers of the stream have it", () => near.isWhole("meridian-meridian"));
    expect(await far.stateOf("meridian-meridian")).toBeUndefined();
  });
});
