/** Directories as processes, and nodes over real sockets: at which directory nodes are, and what they hold, when directories stop, start and lose their connections. */
import { join } from "node:path";

import type { RunningRegion } from "@meridian/region";
import type { LogFields, Logger } from "@meridian/runtime";
import { expect, it, onTestFinished } from "vitest";
import {
  getJson,
  getText,
  putValue,
  startSmallRegion,
  until,
  startDirectories,
  type Cluster,
  type Line,
  type PartyDigest,
} from "@meridian/harness";

interface Standing {
  readonly logId: number;
  readonly head: number;
  readonly peers: readonly { readonly logId: number; readonly applied: number }[];
}

/** A node that records at which directories it has been. */
class Node {
  readonly region: RunningRegion;
  readonly lines: readonly Line[];
  readonly taken: LogFields[];

  constructor(region: RunningRegion, lines: readonly Line[], taken: LogFields[]) {
    this.region = region;
    this.lines = lines;
    this.taken = taken;
  }

  get url(): string {
    return this.region.url;
  }

  /** The index, in the order of preference, of the directory at which the node is; undefined if it is at none. */
  get at(): number | undefined {
    return this.region.status === "ready" ? Number(this.taken.at(-1)?.["directory"]) : undefined;
  }
}

async function startNode(group: Cluster, id: string, order: number[]): Promise<Node> {
  const ways = await group.ways();
  const lines = order.flatMap((index) => ways[index] ?? []);
  const taken: LogFields[] = [];
  const take = (message: string, fields: LogFields = {}): void => {
    if (message === "taken in by a directory") taken.push(fields);
  };
  const logger: Logger = { debug: take, info: take, warn: take, error: take };
  const region = await startSmallRegion({
    id,
    data: join(group.folder, id),
    directory: lines.map(({ url }) => url),
    cluster: "meridian",
    logger,
  });
  onTestFinished(() => region.stop());
  return new Node(region, lines, taken);
}

async function startNodes(group: Cluster, order: number[]): Promise<Node[]> {
  const nodes = await Promise.all(["a", "b", "c"].map((id) => startNode(group, id, order)));
  await until("all are at the first", () => nodes.every(({ at }) => at === 0));
  return nodes;
}

/** The lines between directories. */
function peerLines({ directories }: Cluster): readonly Line[] {
  return directories.flatMap(({ lines }) => [...lines.values()]);
}

/** Resolves once all directories and nodes hold the same `count` entries. */
async function converge(group: Cluster, nodes: readonly Node[], count: number): Promise<void> {
  const running = group.directories.filter(({ program }) => program.isRunning);
  const urls = [...running, ...nodes].map(({ url }) => url);
  await until(`${count} equal entries everywhere`, async () => {
    const digests = await Promise.all(urls.map((url) => getJson<PartyDigest>(`${url}/digest`)));
    const prints = new Set(digests.map(({ fingerprint }) => fingerprint));
    return prints.size === 1 && digests.every((digest) => digest.count === count);
  });
}

/** Resolves, once every directory has followed the others through their ends, to the heads of all logs. */
function levelHeads(group: Cluster): Promise<number[]> {
  return until("every directory has all of the others", async () => {
    const all = await Promise.all(group.urls.map((url) => getJson<Standing>(`${url}/status`)));
    const heads = new Map(all.map(({ logId, head }) => [logId, head]));
    const isLevel = all.every(({ peers }) =>
      peers.every(({ logId, applied }) => applied === heads.get(logId)),
    );
    return isLevel && all.map(({ head }) => head);
  });
}

it("nodes go on at the second directory without comparing anything, and back to the first once it has caught up", async () => {
  const group = await startDirectories(2);
  const nodes = await startNodes(group, [0, 1]);
  const [a, b] = nodes as [Node, Node];
  for (let index = 0; index < 50; index += 1) await putValue(a.url, `before-${index}`, "v");
  await converge(group, nodes, 50);
  await levelHeads(group);
  await group.killDirectory(0);
  await until("all are at the second", () => nodes.every(({ at }) => at === 1));
  for (const { taken } of nodes) expect(taken.at(-1)).toEqual({ directory: 1, reconciles: false });
  await putValue(b.url, "during", "v", { ack: "directory" });
  await until("a has it", async () => (await getText(a.url, "during")) === "v");
  await converge(group, nodes, 51);
  await group.startDirectory(0);
  await until("all are back", () => nodes.every(({ at }) => at === 0), 60_000);
  for (const { taken } of nodes) expect(taken.at(-1)).toEqual({ directory: 0, reconciles: false });
  await putValue(b.url, "after", "v", { ack: "all" });
  await converge(group, nodes, 52);
}, 120_000);

it("writes on both sides of a cut between directories are everywhere once it is mended", async () => {
  const group = await startDirectories(2);
  const left = await startNode(group, "left", [0]);
  const right = await startNode(group, "right", [1]);
  await until("both are ready", () => left.at === 0 && right.at === 0);
  const nearest = `${group.directoryUrl}/nearest?lat=0&lon=0`;
  await until("either directory offers both", async () => {
    const { nodes } = await getJson<{ nodes: readonly { id: string }[] }>(nearest);
    return nodes.length === 2;
  });
  await putValue(left.url, "shared", "old");
  await converge(group, [left, right], 1);
  for (const line of peerLines(group)) line.cut();
  const written = await putValue(left.url, "left", "l", { ack: "directory" });
  await putValue(left.url, "shared", "left");
  await putValue(right.url, "right", "r", { ack: "directory" });
  await putValue(right.url, "shared", "right");
  expect(await getText(right.url, "left")).toBeUndefined();
  for (const line of peerLines(group)) line.heal();
  await converge(group, [left, right], 3);
  expect(await getText(left.url, "shared")).toBe("right");
  expect(await getText(right.url, "left", written.position)).toBe("l");
}, 120_000);

it("no entry circulates among three directories", async () => {
  const group = await startDirectories(3);
  const nodes = await Promise.all([0, 1, 2].map((index) => startNode(group, `n${index}`, [index])));
  await until("all are ready", () => nodes.every(({ at }) => at === 0));
  const puts = nodes.flatMap(({ url }) =>
    Array.from({ length: 100 }, (_, index) => putValue(url, `key-${index}`, url)),
  );
  await Promise.all(puts);
  await converge(group, nodes, 100);
  const before = await levelHeads(group);
  // Each of these writes passes through every directory. An entry that still circulated would be ordered before them.
  for (const { url } of nodes) await putValue(url, url, "last", { ack: "directory" });
  await converge(group, nodes, 103);
  const after = await levelHeads(group);
  expect(after.map((head, index) => head - (before[index] ?? 0))).toEqual([3, 3, 3]);
}, 120_000);
