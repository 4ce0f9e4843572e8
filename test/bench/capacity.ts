/**
 * What entries take: on the disk of a region and of a directory, in a region's memory, and how long a process takes to start on them.
 *
 *   npm run bench:capacity -- [--entries 100000] [--bytes 100,1000]
 */
import { parseArgs } from "node:util";

import { connect } from "@meridian/client";
import { Cluster, PLACES, until } from "@meridian/local-cluster";

const { values } = parseArgs({
  options: {
    entries: { type: "string", default: "100000" },
    bytes: { type: "string", default: "100,1000" },
  },
});
const entries = Number(values.entries);
const BATCH = 500;

interface Stored {
  readonly store: {
    readonly databaseBytes: number;
    readonly walBytes: number;
    readonly unfoldedEntries: number;
  };
}

interface Status extends Stored {
  readonly cache: { readonly entries: number; readonly bytes: number };
}

for (const bytes of values.bytes.split(",").map(Number)) await measure(bytes);

async function measure(bytes: number): Promise<void> {
  const cluster = new Cluster();
  try {
    await cluster.start(PLACES.slice(0, 1));
    const [region] = cluster.regions;
    if (region === undefined) throw new Error("Expected a region");
    const idleBytes = [region.program.memoryBytes, cluster.directory.memoryBytes];
    const client = await connect({ nodes: [region.url] });
    const value = new Uint8Array(bytes).fill(7);
    for (let from = 0; from < entries; from += BATCH) {
      const count = Math.min(BATCH, entries - from);
      const keys = Array.from(
        { length: count },
        (_, index) => `key:${String(from + index).padStart(12, "0")}`,
      );
      await client.setMany(
        keys.map((key) => ({ key, value })),
        { ack: "directory" },
      );
    }
    client.close();
    const urls = [region.url, cluster.directoryUrl];
    for (const url of urls) {
      await until(
        "all is folded",
        async () => (await statusOf<Stored>(url)).store.unfoldedEntries === 0,
      );
    }
    const { cache } = await statusOf<Status>(region.url);
    const [ofRegion, ofDirectory] = await Promise.all(urls.map((url) => statusOf<Stored>(url)));
    const each = (total: number | undefined): string => ((total ?? 0) / entries).toFixed(0);
    const memory = [region.program.memoryBytes, cluster.directory.memoryBytes];
    process.stdout.write(
      [
        `${entries} entries with keys of 16 and values of ${bytes} bytes, bytes each:`,
        `  on a region's disk ${each(ofRegion?.store.databaseBytes)}, on a directory's ${each(ofDirectory?.store.databaseBytes)}`,
        `  counted in a region's memory ${(cache.bytes / cache.entries).toFixed(0)} (${cache.entries} entries)`,
        `  memory of the processes, MiB: region ${mib(idleBytes[0])} → ${mib(memory[0])}, directory ${mib(idleBytes[1])} → ${mib(memory[1])}`,
        "",
      ].join("\n"),
    );
  } finally {
    await cluster.dispose();
  }
}

async function statusOf<Status>(url: string): Promise<Status> {
  return (await (await fetch(`${url}/status`)).json()) as Status;
}

function mib(bytes: number | undefined): string {
  return ((bytes ?? 0) / 1024 ** 2).toFixed(0);
}
