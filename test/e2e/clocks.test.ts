/** Clocks that are wrong, the directory's included, around values that live for a while. */
import { runCli } from "@meridian/cli";
import { expect, it } from "vitest";
import {
  type Cluster,
  FIVE_PLACES,
  getJson,
  getText,
  putValue,
  type Region,
  startCluster,
  until,
} from "@meridian/harness";

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
/** Longer than a store with this grace goes without looking at the clock, and what it was told of that. */
const HOLD_MS = 4_000;

/** Whatever has expired is emptied as soon as that is certain. */
const PLACES = FIVE_PLACES.slice(0, 3).map((place) => ({ ...place, args: ["--expired-grace=1s"] }));

interface Clocks {
  readonly confirmed: boolean;
  readonly aheadMs: number;
  readonly deviant: readonly { readonly id: string; readonly aheadMs: number }[];
}

async function clocksOf(cluster: Cluster): Promise<Clocks> {
  return (await getJson<{ clocks: Clocks }>(`${cluster.directoryUrl}/status`)).clocks;
}

async function restartDirectory(cluster: Cluster, skewMs: number): Promise<void> {
  await cluster.directory.stop();
  await cluster.startDirectory(0, skewMs);
}

async function connected({ url }: Region): Promise<void> {
  await until("it has its link", async () => {
    const { replica } = await getJson<{ replica: { connected: boolean } }>(`${url}/status`);
    return replica.connected;
  });
}

/** How long a region rests between two rounds, so that a cluster is in use and a machine has time for others. */
const ROUND_PAUSE_MS = 200;

/** Writes to each region in turn for a while, and reads what is to live on at each of them. */
async function live(regions: readonly Region[], key: string, holdMs = HOLD_MS): Promise<void> {
  const endMs = performance.now() + holdMs;
  for (let index = 0; index < 10 || performance.now() < endMs; index += 1) {
    for (const { url } of regions) {
      await putValue(url, `other/${index % 10}`, String(index));
      expect(await getText(url, key)).toBe("alive");
    }
    await new Promise((resolve) => setTimeout(resolve, ROUND_PAUSE_MS));
  }
}

async function verify(cluster: Cluster): Promise<string> {
  let text = "";
  const write = (data: string | Uint8Array): unknown => (text += String(data));
  const argv = ["verify", "--directory", cluster.directoryUrl];
  await runCli(argv, {
    stdout: { write },
    stderr: { write },
    stdin: undefined,
    env: {},
    colour: false,
  });
  return text;
}

it("values outlive a directory that is an hour ahead for a while, in every region, and restarts", async () => {
  const cluster = await startCluster(PLACES);
  const [first, second, third] = cluster.regions;
  if (!first || !second || !third) throw new Error("Expected regions");
  await putValue(first.url, "live", "alive", { ttl: "30m", ack: "all" });
  for (const { url } of cluster.regions) expect(await getText(url, "live")).toBe("alive");
  await third.program.stop();
  await restartDirectory(cluster, HOUR_MS);
  await Promise.all([connected(first), connected(second)]);
  // Two regions of three and one directory are no majority.
  expect(await clocksOf(cluster)).toMatchObject({ confirmed: false });
  await live([first, second], "live");
  await third.start();
  await connected(third);
  await first.program.stop();
  await first.start();
  await connected(first);
  const clocks = await until("the regions outvote it", async () => {
    const now = await clocksOf(cluster);
    return now.confirmed && now;
  });
  expect(clocks.deviant.map(({ id }) => id)).toEqual(["this directory"]);
  expect(clocks.aheadMs).toBeGreaterThan(HOUR_MS - 10_000);
  await live(cluster.regions, "live");
  expect(cluster.directory.lines.join("\n")).toMatch(
    /clocks are wrong.*this directory \+36\d{5} ms/,
  );
  await restartDirectory(cluster, 0);
  await Promise.all(cluster.regions.map((region) => connected(region)));
  await live(cluster.regions, "live", 0);
  await second.program.stop();
  await second.start();
  for (const region of cluster.regions) await region.reaches("ready");
  await cluster.converged(11);
  for (const { url } of cluster.regions) expect(await getText(url, "live")).toBe("alive");
  expect(await verify(cluster)).toContain("Everyone holds the same");
}, 300_000);

it("a directory whose clock is an hour behind, before 1970, or in the seventies of the next century ends nobody, and all regions go on", async () => {
  const cluster = await startCluster(PLACES);
  for (const skewMs of [-HOUR_MS, -60 * YEAR_MS, 72 * YEAR_MS]) {
    await restartDirectory(cluster, skewMs);
    await Promise.all(cluster.regions.map((region) => connected(region)));
    for (const [index, { url }] of cluster.regions.entries()) {
      await putValue(url, `k${index}`, `alive ${skewMs}`, { ttl: "30m", ack: "all" });
    }
    await putValue(cluster.regions[0]?.url ?? "", "brief", "gone", { ttl: "1s", ack: "all" });
    for (const { url } of cluster.regions) {
      for (const key of ["k0", "k1", "k2"]) expect(await getText(url, key)).toBe(`alive ${skewMs}`);
      await until(
        "what is over is not served",
        async () => (await getText(url, "brief")) === undefined,
      );
    }
    await until("the regions outvote it", async () => (await clocksOf(cluster)).confirmed);
    await restartDirectory(cluster, 0);
    await Promise.all(cluster.regions.map((region) => connected(region)));
    await cluster.converged(4);
  }
  expect(cluster.regions.map(({ programs }) => programs.length)).toEqual([1, 1, 1]);
});

it("a region whose clock is wrong judges what it has in memory by the cluster's", async () => {
  const cluster = await startCluster(PLACES);
  const [writer, behind, ahead] = cluster.regions;
  if (!writer || !behind || !ahead) throw new Error("Expected regions");
  await behind.program.stop();
  await behind.start(-HOUR_MS);
  await behind.reaches("ready");
  await putValue(writer.url, "brief", "here", { ttl: "3s", ack: "all" });
  await putValue(writer.url, "long", "here", { ttl: "30m", ack: "all" });
  expect(await getText(behind.url, "brief")).toBe("here");
  expect(await getText(behind.url, "brief")).toBe("here");
  await until("it is gone", async () => (await getText(behind.url, "brief")) === undefined);
  await ahead.program.stop();
  await ahead.start(-HOUR_MS);
  await ahead.program.stop();
  await ahead.start(HOUR_MS);
  await ahead.reaches("ready");
  expect(await getText(ahead.url, "long")).toBe("here");
  const { replica } = await getJson<{ replica: object }>(`${ahead.url}/status`);
  expect(replica).toMatchObject({ clockCorrected: true });
});

it("a region alone whose clock no stamp can hold refuses writes with a code, and serves", async () => {
  const cluster = await startCluster(PLACES.slice(0, 1));
  const [region] = cluster.regions;
  if (!region) throw new Error("Expected a region");
  await putValue(region.url, "k", "v", { ack: "directory" });
  await cluster.killDirectory();
  await region.program.stop();
  await region.start(72 * YEAR_MS);
  await region.reaches("standalone");
  const refused = await fetch(`${region.url}/cache/k`, { method: "PUT", body: "x" });
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ code: "CLOCK_OUT_OF_RANGE" });
  expect(await getText(region.url, "k")).toBe("v");
});
