/** Messages that are on their way for longer than a lease, or than anything else is waited for. */
import { closeCodeOf } from "@meridian/protocol";
import { expect, it } from "vitest";

import { set } from "./node-rig.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

/** Longer than a node waits for progress, in half seconds. */
const LONG = 40;

/** A node that has sent a write, and lacks what the log has beyond `has`. */
async function waiting(has: number): Promise<ScriptedDirectory> {
  const script = new ScriptedDirectory();
  script.welcome(has);
  script.replica.write([set("k")]).catch(() => {});
  await script.settle();
  return script;
}

/** The directory says that it lives. */
function echo(script: ScriptedDirectory, committedThrough: number): void {
  const nowMs = script.clock.nowMs();
  script.say({
    type: "echo",
    nowMs,
    echoMs: nowMs,
    head: committedThrough,
    committedThrough,
    followed: [],
    horizon: 0,
    horizonAt: 0,
    holdBack: false,
    clock: { aheadMs: 0, agreeing: 2, members: 2 },
  });
}

it("a node waits for what is behind a large message as long as its parts come", async () => {
  const script = await waiting(0);
  for (let part = 0; part < LONG; part += 1) {
    script.clock.advance(500);
    script.part();
  }
  expect(script.closed).toBeUndefined();
  script.clock.advance(2_000);
  expect(script.closed).toBe(closeCodeOf("LEASE_EXPIRED"));
});

it("a node waits longer for the answer to what has not left it yet, in proportion, and not for ever", async () => {
  const script = await waiting(0);
  script.bufferedBytes = 1024 * 1024;
  let waitedMs = 0;
  for (; script.closed === undefined && waitedMs < 60_000; waitedMs += 500) {
    echo(script, 0);
    script.clock.advance(500);
  }
  expect(script.closed).toBe(closeCodeOf("OUT_OF_ORDER"));
  // Five seconds, and sixteen for a mebibyte.
  expect(waitedMs).toBeGreaterThan(20_000);
  expect(waitedMs).toBeLessThan(23_000);
});
