/** Snapshots in nats-servers: the stream stays short, and a directory with an empty disk has the same log all the same. */
import { FIVE_PLACES, getJson, getText, putValue, startCluster } from "@meridian/harness";
import { describe, expect, it, onTestFinished } from "vitest";

import { HAS_NATS, NATS_VERSION, NatsServers } from "../../support/nats-servers.ts";

const STREAM = "meridian-meridian";

/** So few that there is one snapshot after it at most: the next one comes when the stream has grown by as much as the database is large. */
const ROUND = 10;
const KEYS = 20;
const VALUE = "v".repeat(4_000);

describe.skipIf(!HAS_NATS)(`snapshots in nats-server ${NATS_VERSION} (needs nats-server)`, () => {
  // The second snapshot takes the place of the first.
  it.each([
    [1, 1],
    [3, 2],
  ])(
    "of a stream of %i replicas keep it short after %i of them, and give a directory with an empty disk the same log",
    async (replicas, snapshots) => {
      const servers = new NatsServers({ servers: replicas });
      onTestFinished(() => servers.stop());
      await servers.start();
      const args = [`--log=${servers.url}`, "--log-snapshot-bytes=65536"];
      const cluster = await startCluster(FIVE_PLACES.slice(0, 2), { directoryArgs: args });
      const [one, two] = cluster.regions;
      if (!one || !two) throw new Error("Expected two regions");
      let written = 0;
      const firstOf = async (): Promise<number> => (await servers.stateOf(STREAM))?.first_seq ?? 0;
      for (let trimmed = 0, before = 1; trimmed < snapshots || written < KEYS;) {
        for (let each = 0; each < ROUND; each += 1, written += 1) {
          await putValue(one.url, `key/${written % KEYS}`, `${written} ${VALUE}`);
        }
        const first = await firstOf();
        if (first > before) [trimmed, before] = [trimmed + 1, first];
      }
      await putValue(two.url, "last", "of all", { ack: "directory" });
      const before = await getJson<{ logId: number }>(`${cluster.directoryUrl}/status`);

      await cluster.killDirectory();
      cluster.emptyDirectory();
      await cluster.startDirectory();
      await cluster.converged(KEYS + 1);
      const after = await getJson<{ logId: number }>(`${cluster.directoryUrl}/status`);
      expect(after.logId).toBe(before.logId);
      const lines = cluster.lines();
      expect(lines.some((line) => line.includes("made from a snapshot"))).toBe(true);
      expect(lines.filter((line) => line.includes("reconciles=true"))).toEqual([]);
      expect(await getText(two.url, `key/${(written - 1) % KEYS}`)).toBe(`${written - 1} ${VALUE}`);
    },
  );
});
