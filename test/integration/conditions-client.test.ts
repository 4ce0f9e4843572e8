/** Conditions for the whole cluster through the SDK, at real regions. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { connect, lock, type MeridianClient } from "@meridian/client";
import { startSmallDirectory, startSmallRegion, until } from "@meridian/harness";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "meridian-conditions-client-"));
const stops: (() => Promise<void>)[] = [];
const clients: MeridianClient[] = [];

beforeAll(async () => {
  const directory = await startSmallDirectory({ data: join(folder, "directory") });
  for (const id of ["oslo", "rome"]) {
    const data = join(folder, id);
    const region = await startSmallRegion({ id, data, directory: [directory.url] });
    stops.push(() => region.stop());
    await until(`${id} is ready`, () => region.status === "ready");
    clients.push(await connect({ nodes: [region.url] }));
  }
  stops.push(() => directory.stop());
}, 60_000);

afterAll(async () => {
  for (const client of clients) client.close();
  for (const stop of stops) await stop();
  rmSync(folder, { recursive: true });
});

describe("clients of two regions", () => {
  it("increment one counter with no increment lost", async () => {
    const increments = clients.flatMap((client) =>
      Array.from({ length: 15 }, () =>
        client.update("count", (count: unknown = 0) => Number(count) + 1, {
          scope: "cluster",
          deadlineMs: 30_000,
        }),
      ),
    );
    const counts = await Promise.all(increments);
    expect(new Set(counts).size).toBe(counts.length);
    for (const client of clients) {
      expect(await client.get("count", { scope: "cluster" })).toBe(counts.length);
    }
  });

  it("hold a lock one after the other, each with a greater number", async () => {
    let [holders, last] = [0, 0];
    const work = async (client: MeridianClient): Promise<void> => {
      await using held = await lock(client, "job", { ttl: "10s", wait: "30s" });
      holders += 1;
      expect([holders, held.fencing > last]).toEqual([1, true]);
      last = held.fencing;
      await client.set("worked", held.fencing, { ack: "directory" });
      holders -= 1;
    };
    await Promise.all([...clients, ...clients, ...clients].map(work));
    expect(last).toBeGreaterThan(0);
  });

  it("are told what the cluster decides, and by which error", async () => {
    const [oslo, rome] = clients;
    const etag = (await oslo?.set("once", 1, { ifAbsent: true, scope: "cluster" }))?.etag;
    const again = rome?.set("once", 2, { ifAbsent: true, scope: "cluster" });
    await expect(again).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
    const plain = (await oslo?.set("plain", 1, { ack: "all" }))?.etag;
    const over = rome?.set("plain", 2, { ifMatch: plain, scope: "cluster" });
    await expect(over).rejects.toMatchObject({ code: "NOT_SCOPED" });
    await rome?.delete("once", { ifMatch: etag, scope: "cluster" });
    expect(await oslo?.get("once", { scope: "cluster" })).toBeUndefined();
  });
});
