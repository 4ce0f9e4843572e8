/** Regions at a directory beside the one that writes have from each other what is not ordered yet. */
import { getText, putValue } from "@meridian/harness";
import { FIVE_PLACES, until } from "@meridian/local-cluster";
import { expect, it } from "vitest";

import { HAS_NATS } from "../../support/nats-servers.ts";
import { Pair } from "./pair.ts";

it.skipIf(!HAS_NATS)(
  "a region beside the writer reads what its neighbour has set while the writer stands still, and all agree when that goes on (needs nats-server)",
  async () => {
    const pair = await Pair.start();
    await pair.spread(1);
    const [, second = ""] = pair.urls;
    await pair.startRegion(2, [second]);
    const third = FIVE_PLACES[2]?.id ?? "";
    await until("the third region is there", async () => (await pair.nodesOf(1)).includes(third));
    await putValue(pair.url(1), "before", "x", { ack: "all", timeout: "30s" });

    const [writer] = pair.directories;
    writer?.signal("SIGSTOP");
    await putValue(pair.url(1), "meanwhile", "early");
    await until("the neighbour has it", async () => (await value(pair.url(2))) === "early", 2_000);
    const answer = await fetch(`${pair.url(2)}/cache/meanwhile`);
    // It names the outbox, so another region answers it once it has that, too.
    const position = answer.headers.get("meridian-position") ?? "";
    expect(position).toMatch(/^p2\./);
    expect(await value(pair.url(0))).toBeUndefined();
    const headers = { "meridian-position": position, "meridian-wait-ms": "50" };
    const elsewhere = await fetch(`${pair.url(0)}/cache/meanwhile`, { headers });
    expect(elsewhere.status).toBe(409);

    writer?.signal("SIGCONT");
    await putValue(pair.url(2), "after", "x", { ack: "all", timeout: "60s" });
    await until("all have it", async () => (await value(pair.url(0))) === "early", 60_000);
    await until("equal digests", async () => (await pair.digests()).size === 1, 60_000);
    expect(pair.comparisons).toEqual([]);
  },
);

async function value(url: string): Promise<string | undefined> {
  return getText(url, "meanwhile");
}
