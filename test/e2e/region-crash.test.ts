import { describe, expect, it } from "vitest";
import {
  type Cluster,
  getJson,
  getText,
  putValue,
  type Region,
  request,
  startCluster,
  until,
} from "@meridian/harness";

const WRITERS = 16;
const ENOUGH = 250;

/** What a region has acknowledged: the value of each key, and how far each counter had got. */
interface Acknowledged {
  readonly values: Map<string, string>;
  readonly counters: Map<string, number>;
}

/**
 * Writes to a region over 16 connections, without a pause, until it is gone: each a new key and then its
 * own counter, over and over.
 */
async function writeUntilGone(region: Region, round: string, acknowledged: Acknowledged) {
  const { values, counters } = acknowledged;
  const writer = async (name: string): Promise<void> => {
    for (let turn = 1; turn <= 100_000; turn += 1) {
      const key = `${round}/${name}/${turn}`;
      const value = `value of ${key} `.repeat(1 + (turn % 7));
      try {
        await putValue(region.url, key, value);
        values.set(key, value);
        await putValue(region.url, `counter/${name}`, String(turn));
        counters.set(`counter/${name}`, turn);
      } catch {
        return;
      }
    }
    throw new Error("Expected the region to be killed");
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, index) => writer(`${round}-${index}`)));
}

/** The round trips of reading a thousand keys one by one would only make the test slower. */
async function readMany(url: string, keys: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let at = 0; at < keys.length; at += 1_000) {
    const response = await request(`${url}/batch/get`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ keys: keys.slice(at, at + 1_000) }),
    });
    const { entries } = (await response.json()) as {
      entries: { key: string; found: boolean; value?: string }[];
    };
    for (const { key, value } of entries) if (value !== undefined) found.set(key, value);
  }
  return found;
}

async function expectEverything(url: string, { values, counters }: Acknowledged): Promise<void> {
  const found = await readMany(url, [...values.keys(), ...counters.keys()]);
  const lost = [...values].filter(([key, value]) => found.get(key) !== value);
  expect(lost).toEqual([]);
  // A write that was not answered may be there too.
  const behind = [...counters].filter(([key, turn]) => !(Number(found.get(key)) >= turn));
  expect(behind).toEqual([]);
}

async function killUnderWrites(region: Region, round: string, acknowledged: Acknowledged) {
  const before = acknowledged.values.size;
  const writing = writeUntilGone(region, round, acknowledged);
  await until("enough writes", () => acknowledged.values.size - before >= ENOUGH, 30_000);
  await region.program.kill();
  await writing;
}

async function countOf(cluster: Cluster): Promise<number> {
  const [region] = cluster.regions;
  return (await getJson<{ count: number }>(`${region?.url}/digest`)).count;
}

describe("a region killed under a stream of writes", () => {
  it("has every acknowledged write when it is back, and so has every other region", async () => {
    const cluster = await startCluster();
    const [victim, ...others] = cluster.regions;
    if (victim === undefined) throw new Error("Expected regions");
    const acknowledged: Acknowledged = { values: new Map(), counters: new Map() };

    await killUnderWrites(victim, "connected", acknowledged);
    await victim.start();
    await victim.reaches("ready");
    await expectEverything(victim.url, acknowledged);

    // Now with nothing of it anywhere else: cut off from the directory.
    victim.line.cut();
    await victim.reaches("standalone");
    await killUnderWrites(victim, "alone", acknowledged);
    const lonely = [...acknowledged.values.keys()].findLast((key) => key.startsWith("alone")) ?? "";
    expect(await getText(others[0]?.url ?? "", lonely)).toBeUndefined();
    await victim.start();
    await victim.reaches("standalone");
    await expectEverything(victim.url, acknowledged);

    victim.line.heal();
    await victim.reaches("ready");
    await cluster.converged(await countOf(cluster));
    for (const { url } of others) await expectEverything(url, acknowledged);
  });
});
