/** A log whose stream lies at other servers than those that the directory is connected to. */
import { FIVE_PLACES, getText, putValue, startCluster } from "@meridian/harness";
import { describe, expect, it, onTestFinished } from "vitest";

import { freePort } from "../../support/free-port.ts";
import {
  HAS_NATS,
  NATS_VERSION,
  NatsServers,
  type NatsOptions,
} from "../../support/nats-servers.ts";

async function startServers(options: NatsOptions): Promise<NatsServers> {
  const servers = new NatsServers(options);
  onTestFinished(() => servers.stop());
  await servers.start();
  return servers;
}

/** Puts a value through a log at these servers, and reads it elsewhere after the directory has lost its disk. */
async function expectLog(servers: NatsServers, more: readonly string[] = []): Promise<void> {
  const places = FIVE_PLACES.slice(0, 2);
  const directoryArgs = [`--log=${servers.url}`, "--log-replicas=1", ...more];
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
    await expectLog(leaf, ["--log-domain=hub"]);
    expect(await hub.stateOf("meridian-meridian")).toMatchObject({ first_seq: 1 });
    expect(await leaf.stateOf("meridian-meridian")).toBeUndefined();
  });
});
