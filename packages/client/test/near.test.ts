/** What a client keeps in its own process. */
import { MeridianError } from "@meridian/protocol";
import fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";

import type { ClientEvents } from "../src/index.ts";
import { LEASE_MS, live, open, play, settled, step } from "./near-history.ts";

it.each(["http", "websocket", "auto"] as const)(
  "whatever the network does, nothing is returned that is older than what was seen, has expired, or was replaced longer ago than the lease (%s)",
  async (transport) => {
    let hits = 0;
    const numRuns = Number(process.env["NEAR_RUNS"] ?? 8);
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 30, maxLength: 90 }),
        fc.nat({ max: 1_000_000 }),
        async (steps, seed) => {
          const outcome = await play(steps, seed, { transport });
          hits += outcome.hits;
          expect(outcome.wrong).toEqual([]);
        },
      ),
      { numRuns },
    );
    expect(hits).toBeGreaterThan(numRuns);
  },
);

it("where the node says nothing for longer than the lease, a node is asked, and that is told", async () => {
  const scene = await open();
  const { client, clock, world, first } = scene;
  onTestFinished(() => client.close());
  const states: ClientEvents["near"]["state"][] = [];
  client.on("near", ({ state }) => states.push(state));
  const { version } = first.write("a", true);
  await live(scene);
  await settled(clock, client.get("a"));
  const { hits = 0, misses = 0 } = client.status().near ?? {};
  expect(await client.get("a")).toBe(version);
  expect(client.status().near).toMatchObject({ live: true, entries: 1, hits: hits + 1, misses });
  world.hold = true;
  first.write("a", true);
  await clock.advance(LEASE_MS + 1);
  expect(await settled(clock, client.get("a"))).toBe(version + 1);
  expect(client.status().near).toMatchObject({ live: false, hits: hits + 1 });
  expect(states).toEqual(["live", "stale"]);
  world.hold = false;
  await live(scene);
  expect(states.slice(0, 3)).toEqual(["live", "stale", "live"]);
});

it("where the node cannot tell over a WebSocket, it tells over HTTP", async () => {
  const scene = await open({ transport: "auto" });
  const { world, clock, client, first } = scene;
  onTestFinished(() => client.close());
  world.unknown = ["watch"];
  const { version } = first.write("a", true);
  await live(scene);
  await settled(clock, client.get("a"));
  expect(await client.get("a")).toBe(version);
  expect(client.status().nodes[0]?.transport).toBe("websocket");
});

it("where the node refuses to tell changes, nothing is kept, and that is told once", async () => {
  const { world, clock, client, first } = await open();
  onTestFinished(() => client.close());
  world.refusal = new MeridianError("FORBIDDEN", "not these keys");
  const told: ClientEvents["near"][] = [];
  client.on("near", (event) => told.push(event));
  await clock.advance(10_000);
  expect(told).toMatchObject([{ state: "off", error: { code: "FORBIDDEN" } }]);
  first.write("a", true);
  for (let time = 0; time < 2; time += 1) await settled(clock, client.get("a"));
  expect(client.status().near).toMatchObject({ live: false, entries: 0, hits: 0 });
});
