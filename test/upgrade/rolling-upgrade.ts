/**
 * A cluster of one version that becomes one of another under load, program by program, as UPGRADE.md says, and goes back again.
 * No acknowledged write may be lost, no promise to a session broken, and no request of the SDK may fail.
 */
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";

import {
  Cluster,
  gotOf,
  Load,
  PLACES,
  ProxyNetwork,
  RegionRequests,
  until,
  type NodePrograms,
  type Outpost,
} from "@meridian/local-cluster";
import { systemRandom } from "@meridian/runtime";

import { SdkClients } from "./sdk-clients.ts";

/** From what to what. */
export interface UpgradeOptions {
  readonly before: NodePrograms;
  readonly after: NodePrograms;
  /** Raw requests a second. */
  readonly rate: number;
  /** Told what happens, a line each. */
  readonly tell: (line: string) => void;
}

/** What came of it. */
export interface UpgradeReport {
  /** What went wrong, in plain words; none if nothing did. */
  readonly failures: readonly string[];
  readonly acknowledged: number;
  readonly sdkRequests: number;
}

const REGIONS = 3;
const DIRECTORIES = 2;

/** Runs the upgrade, and the way back. */
export async function upgrade({
  before,
  after,
  rate,
  tell,
}: UpgradeOptions): Promise<UpgradeReport> {
  const lost: string[] = [];
  // Each program is whatever stands here when it is started.
  const programs = { ...before };
  const cluster = new Cluster({
    directories: DIRECTORIES,
    network: new FixedPorts(),
    programs,
    onLost: (how) => lost.push(how),
  });
  const places = PLACES.slice(0, REGIONS);
  try {
    await cluster.start(places);
    const ways = await cluster.ways();
    const load = new Load({
      destinations: cluster.regions,
      rate,
      random: systemRandom,
      prefix: "load/",
      ttlMsMax: 0,
    });
    const sdk = new SdkClients();
    await sdk.start(
      ways.map(({ url }) => url),
      places,
    );
    load.start();
    for (const [what, next] of [
      ["up", after],
      ["back", before],
    ] as const) {
      Object.assign(programs, next);
      await roll(cluster, (line) => tell(`${what}: ${line}`));
    }
    await Promise.all([load.stop(), sdk.stop()]);
    await until("all hold the same", async () => {
      const [first, ...others] = await cluster.digests();
      return others.every((each) => each.fingerprint === first?.fingerprint);
    });
    return {
      failures: [
        ...lost,
        ...load.violations,
        ...sdk.failures,
        ...(await missing(cluster, load, sdk)),
      ],
      acknowledged: load.counts().acknowledged,
      sdkRequests: sdk.requests,
    };
  } finally {
    await cluster.dispose();
  }
}

/** Regions that keep their ports when they are restarted, as on machines of their own. */
class FixedPorts extends ProxyNetwork {
  override async add(): Promise<Outpost> {
    const outpost = await super.add();
    return { ...outpost, site: { ...outpost.site, port: await freePort() } };
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Restarts every program, the directories first and the preferred one of them last. */
async function roll(cluster: Cluster, tell: (line: string) => void): Promise<void> {
  const everybody = async (): Promise<boolean> => (await cluster.near()).length === REGIONS;
  for (let index = DIRECTORIES - 1; index >= 0; index -= 1) {
    await cluster.stopDirectory(index);
    await cluster.startDirectory(index);
    await until("every region is offered", everybody);
    tell(`directory ${index + 1} runs`);
  }
  for (const region of cluster.regions) {
    await region.stop();
    await region.start();
    await region.reaches("ready");
    await until("every region is offered", everybody);
    tell(`${region.name} runs`);
  }
}

/** What was acknowledged and is not in every region. */
async function missing(cluster: Cluster, load: Load, sdk: SdkClients): Promise<readonly string[]> {
  const found: string[] = [];
  const { ledger } = load;
  for (const { name, url } of cluster.regions) {
    const requests = new RegionRequests();
    for (const key of ledger.keys) {
      const reply = await requests.get(url, key);
      const broken =
        reply.kind === "done"
          ? ledger.broken(key, gotOf(reply), ledger.floor(key), Date.now())
          : `${key} cannot be read: ${reply.kind}`;
      if (broken !== undefined) found.push(`at ${name}, in the end: ${broken}`);
    }
    for (const [key, number] of sdk.acknowledged) {
      const reply = await requests.get(url, key);
      const value = reply.kind === "done" ? reply.value : reply.kind;
      if (Number(value) < number || Number.isNaN(Number(value))) {
        found.push(`at ${name}, in the end: ${key} is ${String(value)}, not ${number}`);
      }
    }
    requests.close();
  }
  return found;
}
