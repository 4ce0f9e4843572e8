/**
 * How long a node takes to have what it misses, and how many bytes travel for that: a directory and nodes as processes on
 * this machine, a proxy between them that counts. Each time is from the start of the process to `ready`, and ends
 * with equal digests, or is not reported.
 *
 *   empty      a node without data
 *   feed       a node that was away, and shows a cursor that the log knows
 *   reconcile  the same, but the log does not know its cursor: both compare what they have
 *   refill     a directory without data: the first node fills it
 *
 * Usage: node … test/bench/catch-up.ts [--entries 1000000] [--missed 10000]
 */
import { parseArgs } from "node:util";

import Database from "better-sqlite3";
import {
  Cluster,
  type PartyDigest,
  FIVE_PLACES,
  getJson,
  ProxyNetwork,
  type Region,
  request,
  until,
} from "@meridian/harness";

const VALUE = "v".repeat(100);
const BATCH = 1_000;
const PATIENCE_MS = 600_000;
const [A, B, C] = FIVE_PLACES;

/** Proxies that are asked what they have carried. */
class CountingNetwork extends ProxyNetwork {
  carried(): { up: number; down: number } {
    const all = this.lines.map((line) => line.carried);
    return {
      up: all.reduce((sum, { toDirectory }) => sum + toDirectory, 0),
      down: all.reduce((sum, { fromDirectory }) => sum + fromDirectory, 0),
    };
  }
}

/** Writes `count` entries; their keys have 20 bytes. */
async function write(region: Region, kind: string, count: number): Promise<void> {
  const body = (at: number): string => {
    const entries = Array.from({ length: Math.min(BATCH, count - at) }, (_, index) => ({
      key: `${kind}/${String(at + index).padStart(19 - kind.length, "0")}`,
      value: VALUE,
    }));
    return JSON.stringify({ entries });
  };
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) {
      const at = next;
      next += BATCH;
      const headers = { "content-type": "application/json" };
      const init = { method: "POST", headers, body: body(at) };
      const response = await request(`${region.url}/batch/set`, init);
      const answer = await response.text();
      const { status } = response;
      if (status === 503) {
        // Too fast for the disk.
        await new Promise((resolve) => setTimeout(resolve, 200));
        next = Math.min(next, at);
      } else if (status !== 200) throw new Error(`Expected 200, got ${status} ${answer}`);
    }
  };
  await Promise.all([work(), work(), work(), work()]);
}

/** Resolves once all of `urls` hold the same `count` entries. */
async function same(urls: readonly string[], count: number): Promise<void> {
  await until(
    `${count} entries everywhere`,
    async () => {
      const digests = await Promise.all(urls.map((url) => getJson<PartyDigest>(`${url}/digest`)));
      const [first] = digests;
      return digests.every(
        (each) => each.count === count && each.fingerprint === first?.fingerprint,
      );
    },
    PATIENCE_MS,
  );
}

/** A cluster, and how what happens in it is measured. */
class Bench {
  readonly network = new CountingNetwork();
  readonly cluster: Cluster = new Cluster({ network: this.network });

  /** Runs something and reports it, once the parties that it returns hold the same `count` entries. */
  async measure(what: string, count: number, run: () => Promise<string[]>): Promise<void> {
    const before = this.network.carried();
    const startedAtMs = performance.now();
    const urls = await run();
    const seconds = (performance.now() - startedAtMs) / 1_000;
    const { up, down } = this.network.carried();
    await same(urls, count);
    const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(2).padStart(8);
    console.log(
      `${what.padEnd(60)} ${seconds.toFixed(2).padStart(7)} s ` +
        `${mebibytes(down - before.down)} MiB to nodes ${mebibytes(up - before.up)} MiB from them`,
    );
  }

  /** Starts a node that was stopped, and resolves to who is to agree once it is ready. */
  async resume(region: Region): Promise<string[]> {
    await region.start();
    await until("ready", () => region.program.status === "ready", PATIENCE_MS);
    return [this.cluster.directoryUrl, region.url];
  }

  /** Starts a directory without data, and resolves to who is to agree once it has all that the nodes have. */
  async refill(region: Region, count: number): Promise<string[]> {
    await this.cluster.startDirectory();
    const url = this.cluster.directoryUrl;
    const isFilled = async (): Promise<boolean> => {
      const { store } = await getJson<{ readonly store: { readonly entries: number } }>(
        `${url}/status`,
      );
      return store.entries >= count;
    };
    await until("the directory has all", isFilled, PATIENCE_MS);
    return [url, region.url];
  }
}

async function main(bench: Bench, entries: number, missed: number): Promise<void> {
  const { cluster } = bench;
  if (!A || !B || !C) throw new Error("Expected places");
  await cluster.startDirectory();
  const [first, second] = [await cluster.add(A), await cluster.add(B)];
  await first.reaches("ready");
  await second.reaches("ready");
  await write(first, "k", entries);
  const { directoryUrl } = cluster;
  await same([directoryUrl, first.url, second.url], entries);

  await bench.measure(`empty: a new node, ${entries} entries`, entries, async () => {
    const third = await cluster.add(C);
    await until("ready", () => third.program.status === "ready", PATIENCE_MS);
    return [directoryUrl, third.url];
  });

  await second.program.stop();
  await write(first, "m", missed);
  const more = entries + missed;
  const held = `${entries} held, ${missed} missed`;
  await bench.measure(`feed: ${held}`, more, () => bench.resume(second));

  await second.program.stop();
  await write(first, "n", missed);
  const database = new Database(second.databasePath);
  database.exec("UPDATE state SET cursor_log_id = cursor_log_id + 1");
  database.close();
  const all = more + missed;
  await bench.measure(`reconcile: ${held}`, all, () => bench.resume(second));

  await cluster.killDirectory();
  cluster.emptyDirectory();
  await bench.measure(`refill: ${all} entries in three nodes`, all, () => bench.refill(first, all));
}

const { values } = parseArgs({
  options: {
    entries: { type: "string", default: "1000000" },
    missed: { type: "string", default: "10000" },
  },
});
const bench = new Bench();
try {
  await main(bench, Number(values.entries), Number(values.missed));
} catch (cause) {
  console.log(bench.cluster.report());
  throw cause;
} finally {
  await bench.cluster.dispose();
}
