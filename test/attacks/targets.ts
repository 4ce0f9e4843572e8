/** The two programs as targets of attacks. */
import { type Cluster, putValue, request } from "@meridian/harness";
import { UPGRADE } from "./link-manners.ts";
import { LARGE_KEYS, LARGE_VALUE, requestsOf, type RouteRequest } from "./requests.ts";
import { expectOk, type Target } from "./siege.ts";

/** A program and the requests to attack it with. */
export interface Fortress {
  readonly name: string;
  readonly target: Target;
  readonly requests: readonly RouteRequest[];
}

/** Fills a cluster with the values with the longest answers, and returns its directory and its first region. */
export async function fortressesOf(cluster: Cluster): Promise<readonly Fortress[]> {
  const [region] = cluster.regions;
  if (region === undefined) throw new Error("Expected a region");
  for (const key of LARGE_KEYS) await putValue(region.url, key, LARGE_VALUE);
  for (let index = 0; index < 100; index += 1)
    await putValue(region.url, `key/${index}`, "v".repeat(100));
  const { directory, directoryUrl } = cluster;
  const nearest = `${directoryUrl}/nearest?lat=1&lon=2`;
  const fortress = async (name: string, target: Target): Promise<Fortress> => {
    // Memory that a process takes at its first requests does not count as held for clients.
    for (let turn = 0; turn < 30; turn += 1) await target.serve(target.url).catch(() => {});
    return { name, target, requests: await requestsOf(target.url) };
  };
  return [
    await fortress("region", regionTarget(cluster)),
    await fortress("directory", {
      url: directoryUrl,
      nearest,
      get memoryBytes() {
        return directory.memoryBytes;
      },
      serve: async (url) => {
        await expectOk(`${url}/nearest?lat=1&lon=2`);
        await (await request(`${url}/nodes`)).arrayBuffer();
      },
    }),
  ];
}

function regionTarget({ regions: [region], directoryUrl }: Cluster): Target {
  if (region === undefined) throw new Error("Expected a region");
  return {
    url: region.url,
    nearest: `${directoryUrl}/nearest?lat=1&lon=2`,
    get memoryBytes() {
      return region.program.memoryBytes;
    },
    serve: async (url) => {
      await putValue(url, "honest", "value");
      await expectOk(`${url}/cache/honest`);
      await expectOk(`${url}/cache/nul/3`);
    },
  };
}

/** The WebSockets of clients of a cluster's first region. */
export function socketsOf(cluster: Cluster): Pick<Fortress, "name" | "target"> {
  return { name: "sockets", target: regionTarget(cluster) };
}

/** The links of a cluster's directory, whose service is to bring a write to all nodes. */
export function linksOf(cluster: Cluster): Fortress {
  const [region] = cluster.regions;
  if (region === undefined) throw new Error("Expected a region");
  const { directory, directoryUrl } = cluster;
  const target: Target = {
    url: directoryUrl,
    nearest: `${directoryUrl}/nearest?lat=1&lon=2`,
    get memoryBytes() {
      return directory.memoryBytes;
    },
    serve: async () => {
      await putValue(region.url, "honest", "value", { ack: "all" });
    },
  };
  return { name: "links", target, requests: [{ route: "/replicate", bytes: UPGRADE }] };
}
