/** The benchmark of peers with little work: each contender starts, answers rightly, is measured, and ends. */
import { findPrograms } from "@meridian/local-cluster";
import { expect, it } from "vitest";

import { makeBenchCredentials } from "../bench/credentials.ts";
import { installedPeers } from "../bench/peers/installed.ts";
import { peerRows } from "../bench/peers/peer-rows.ts";
import { runRow, type RowResult } from "../bench/peers/rounds.ts";
import { inWorkplace } from "../bench/peers/workplace.ts";

const PEERS = installedPeers();
const LITTLE = {
  rounds: 1,
  seconds: 1,
  connections: 2,
  setsPerSecond: 100,
  missed: 100,
  entries: 1_000,
};

/** Runs the named contenders of a row. */
function run(name: string, contenders: readonly string[]): Promise<RowResult> {
  return inWorkplace(async (workplace) => {
    const credentials = await makeBenchCredentials(workplace.folder("credentials"));
    const parts = { workplace, programs: await findPrograms(), credentials, extent: LITTLE };
    const row = peerRows(parts, (peer) => PEERS.has(peer)).find((each) => each.name === name);
    const chosen = row?.contenders.filter((each) => contenders.includes(each.name)) ?? [];
    expect(chosen).toHaveLength(contenders.length);
    const result = await runRow({ name, contenders: chosen, rounds: 1 }, () => {});
    await credentials.close();
    return result;
  });
}

/** The row, the peers that it needs, and the contenders that run. */
const ROWS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["get", ["wrk"], ["Meridian, TLS and token"]],
  ["get", ["wrk", "nginx"], ["nginx proxy_cache"]],
  ["put", ["wrk", "webdis", "redis-server"], ["webdis + redis everysec"]],
  ["nearest", ["wrk"], ["bare node:http", "Meridian, 1 000 nodes"]],
  ["replication", ["redis-server"], ["redis, 2 replicas", "Meridian"]],
  ["memory", ["redis-server"], ["redis", "Meridian"]],
  ["catch-up", ["redis-server"], ["redis, 2 replicas", "Meridian"]],
  ["kill", ["redis-server"], ["redis always", "Meridian, power"]],
  ["kill", ["nats-server"], ["NATS, 1 copy"]],
];

it.concurrent.for(ROWS)("the row %s runs with %j", async ([name, needs, contenders], { skip }) => {
  const missing = needs.filter((peer) => !PEERS.has(peer));
  if (missing.length > 0) skip(`${missing.join(", ")} is not installed`);
  const { samples, failures } = await run(name, contenders);
  expect(failures).toEqual({});
  expect(Object.keys(samples).toSorted()).toEqual(contenders.toSorted());
  const figures = Object.values(samples).flatMap((each) => Object.entries(each));
  const isRight = ([figure, values]: (typeof figures)[number]): boolean => {
    const [value = NaN] = values;
    return values.length === 1 && (figure === "lost" ? value === 0 : Number.isFinite(value));
  };
  expect(figures.filter((each) => !isRight(each))).toEqual([]);
});
