/**
 * Upgrades a cluster under load from one version to another, program by program as UPGRADE.md says, and back again.
 * No acknowledged write may be lost, no session may see an older state, and no request of the SDK may fail.
 */
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

import { freePort } from "../support/free-port.ts";
import type { Secrets } from "../support/secrets.ts";
import { SdkClients } from "./sdk-clients.ts";

/** The programs of a version, and the version that they report in `GET /status`. */
interface Version {
  readonly programs: NodePrograms;
  readonly version: string;
}

/** The options of an upgrade: the version before, the version after, and the load. */
export interface UpgradeOptions {
  readonly before: Version;
  readonly after: Version;
  /** HTTP requests a second, without the SDK. */
  readonly rate: number;
  /** How many regions there are. Default: 3. */
  readonly regions?: number;
  /** If it is given, all programs use TLS and demand tokens. */
  readonly secrets?: Secrets | undefined;
  /** Called with one line for each step. */
  readonly tell: (line: string) => void;
}

/** The result of an upgrade. */
export interface UpgradeReport {
  /** A sentence for each thing that went wrong. */
  readonly failures: readonly string[];
  readonly acknowledged: number;
  readonly sdkRequests: number;
}

const DIRECTORIES = 2;

/** Runs the upgrade, and goes back. */
export async function upgrade({
  before,
  after,
  rate,
  regions = 3,
  secrets,
  tell,
}: UpgradeOptions): Promise<UpgradeReport> {
  const lost: string[] = [];
  // A process that is started runs the program that this object has at that moment.
  const programs = { ...before.programs };
  const cluster = new Cluster({
    directories: DIRECTORIES,
    network: new FixedPorts(),
    programs,
    secure: secrets,
    onLost: (how) => lost.push(how),
  });
  const places = PLACES.slice(0, regions);
  try {
    await cluster.start(places);
    for (const url of cluster.urls) await expectVersion(url, before, secrets);
    const ways = await cluster.ways();
    const load = new Load({
      destinations: cluster.regions,
      rate,
      random: systemRandom,
      prefix: "load/",
      ttlMsMax: 0,
      requestsOf: () => requestsOf(secrets),
    });
    const sdk = new SdkClients();
    const scheme = secrets === undefined ? "http:" : "https:";
    const directory = ways.map(({ url }) => url.replace("http:", scheme));
    await sdk.start({ directory, secrets }, places);
    load.start();
    for (const [what, from, next] of [
      ["up", before, after],
      ["back", after, before],
    ] as const) {
      Object.assign(programs, next.programs);
      await roll(cluster, { from, next, secrets, tell: (line) => tell(`${what}: ${line}`) });
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
        ...(await missing(cluster, load, sdk, secrets)),
      ],
      acknowledged: load.counts().acknowledged,
      sdkRequests: sdk.requests,
    };
  } finally {
    await cluster.dispose();
  }
}

/** A network in which regions keep their ports when they are restarted, as on machines of their own. */
class FixedPorts extends ProxyNetwork {
  override async add(): Promise<Outpost> {
    const outpost = await super.add();
    return { ...outpost, site: { ...outpost.site, port: await freePort() } };
  }
}

/** Throws unless the program of that version answers at a URL. */
async function expectVersion(url: string, { version }: Version, secrets?: Secrets): Promise<void> {
  const response = await (secrets?.fetch ?? fetch)(`${url}/status`);
  const told = ((await response.json()) as { readonly version?: unknown }).version;
  if (told === version) return;
  throw new Error(`Expected a program of version ${version} at ${url}, got ${String(told)}`);
}

interface Step extends Pick<UpgradeOptions, "secrets" | "tell"> {
  readonly from: Version;
  readonly next: Version;
}

/** Restarts every program, the directories first and the preferred one of them last. */
async function roll(cluster: Cluster, { from, next, secrets, tell }: Step): Promise<void> {
  const expect = (url: string, version: Version): Promise<void> =>
    expectVersion(url, version, secrets);
  const everybody = async (): Promise<boolean> =>
    (await cluster.near()).length === cluster.regions.length;
  for (let index = DIRECTORIES - 1; index >= 0; index -= 1) {
    await expect(directoryAt(cluster, index), from);
    await cluster.stopDirectory(index);
    await cluster.startDirectory(index);
    await until("every region is offered", everybody);
    await expect(directoryAt(cluster, index), next);
    tell(`directory ${index + 1} runs ${next.version}`);
  }
  for (const region of cluster.regions) {
    await expect(region.url, from);
    await region.stop();
    await region.start();
    await region.reaches("ready");
    await until("every region is offered", everybody);
    await expect(region.url, next);
    tell(`${region.name} runs ${next.version}`);
  }
}

function directoryAt({ directories }: Cluster, index: number): string {
  const directory = directories[index];
  if (directory === undefined) throw new Error(`Expected a directory ${index + 1}, got none`);
  return directory.url;
}

/** A region's answer about a key at the end. Asks again after a late answer, because on a busy machine that is no loss. */
async function answerOf(requests: RegionRequests, url: string, key: string) {
  for (let attempt = 1; ; attempt += 1) {
    const reply = await requests.get(url, key);
    if (reply.kind !== "unanswered" || attempt === 10) return reply;
  }
}

/** Requests of a session that any region answers. */
function requestsOf(secrets: Secrets | undefined): RegionRequests {
  return new RegionRequests(undefined, secrets);
}

/** A sentence for each acknowledged write that a region lacks. */
async function missing(
  cluster: Cluster,
  load: Load,
  sdk: SdkClients,
  secrets: Secrets | undefined,
): Promise<readonly string[]> {
  const found: string[] = [];
  const { ledger } = load;
  for (const { name, url } of cluster.regions) {
    const requests = requestsOf(secrets);
    for (const key of ledger.keys) {
      const reply = await answerOf(requests, url, key);
      const broken =
        reply.kind === "done"
          ? ledger.broken(key, gotOf(reply), ledger.floor(key), Date.now())
          : `${key} cannot be read: ${reply.kind}`;
      if (broken !== undefined) found.push(`at ${name}, in the end: ${broken}`);
    }
    for (const [key, number] of sdk.acknowledged) {
      const reply = await answerOf(requests, url, key);
      const value = reply.kind === "done" ? reply.value : reply.kind;
      if (Number(value) < number || Number.isNaN(Number(value))) {
        found.push(`at ${name}, in the end: ${key} is ${String(value)}, not ${number}`);
      }
    }
    requests.close();
  }
  return found;
}
