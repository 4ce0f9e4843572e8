/** A write that arrives only after its client has given it up, at a real region. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { connect } from "@meridian/client";
import {
  LinkProxy,
  request,
  startSmallDirectory,
  startSmallRegion,
  until,
} from "@meridian/harness";
import { expect, it, onTestFinished } from "vitest";

it.each([
  ["http", /meridian_http_request_seconds_count\{.*status="409"/],
  ["websocket", /meridian_websocket_request_seconds_count\{.*code="DEADLINE_PASSED"/],
] as const)("is refused, and what was there stays (%s)", async (transport, refusals) => {
  const folder = mkdtempSync(join(tmpdir(), "meridian-late-"));
  const directory = await startSmallDirectory({ data: join(folder, "directory") });
  const data = join(folder, "oslo");
  const region = await startSmallRegion({ id: "oslo", data, directory: [directory.url] });
  const line = await LinkProxy.listen();
  line.target = region.url;
  const client = await connect({ nodes: [line.url], transport });
  onTestFinished(async () => {
    client.close();
    await line.close();
    await region.stop();
    await directory.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await until("the region is ready", () => region.status === "ready");
  await client.set("k", "before", { deadlineMs: 30_000 });
  line.blackHole("to-directory");
  await expect(client.set("k", "late", { deadlineMs: 300 })).rejects.toMatchObject({
    details: { mayHaveBeenApplied: true },
  });
  line.heal();
  await until("the region has refused the write", async () => {
    return refusals.test(await (await request(`${region.url}/metrics`)).text());
  });
  expect(await (await request(`${region.url}/cache/k`)).json()).toBe("before");
});
