/** A directory that is cut off from NATS, but not from its regions, while another one stands by. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  FIVE_PLACES,
  LinkProxy,
  placeArguments,
  type Program,
  regionArguments,
  until,
} from "@meridian/local-cluster";
import { describe, expect, it, onTestFinished } from "vitest";

import { freePort } from "../../support/free-port.ts";
import { HAS_NATS, NATS_VERSION, NatsServers } from "../../support/nats-servers.ts";
import { reachesLog, start } from "../../support/spawned.ts";

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "meridian-cut-off-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Whether a directory has the link of a node that is ready. */
async function hasNode(url = ""): Promise<boolean> {
  const answer = await fetch(`${url}/nodes`);
  const { nodes } = (await answer.json()) as {
    readonly nodes: readonly { readonly status: string; readonly peer: string | null }[];
  };
  return nodes.some(({ status, peer }) => status === "ready" && peer === null);
}

describe.skipIf(!HAS_NATS)(`a log on nats-server ${NATS_VERSION} (needs nats-server)`, () => {
  it("whose writer is cut off from NATS goes on with the standby, to which the writer sends its regions", async () => {
    const servers = new NatsServers();
    onTestFinished(() => servers.stop());
    await servers.start();
    const line = await LinkProxy.listen();
    onTestFinished(() => line.close());
    line.target = servers.url.replace("nats:", "http:");
    const folder = temporary();
    const ports = [await freePort(), await freePort()];
    const urls = ports.map((port) => `http://127.0.0.1:${port}`);
    const directory = (index: number, log: string): Promise<Program> => {
      const name = `directory-${index}`;
      const place = placeArguments("127.0.0.1", ports[index] ?? 0, join(folder, name));
      return start("directory", name, [...place, `--log=${log}`]);
    };
    const first = await directory(0, line.url.replace("http:", "nats:"));
    await first.listens();
    const second = await directory(1, servers.url);
    await until("the second directory stands by", () => second.status === "standby");
    const [place] = FIVE_PLACES;
    if (place === undefined) throw new Error("Expected a place");
    const region = await start("region", place.id, [
      ...placeArguments("127.0.0.1", 0, join(folder, place.id)),
      ...regionArguments(place, urls),
    ]);
    await region.listens();
    await until("a write is acknowledged", () => reachesLog(region, "before"));

    line.cut();
    // It writes nothing, so it waits for nothing, and would never leave by itself.
    await until("the region is at the standby", () => hasNode(urls[1]), 90_000);
    expect(first.lines.join("\n")).toMatch(/nodes are sent to other directories/);
    expect(first.isRunning).toBe(true);
    expect(await reachesLog(region, "after")).toBe(true);

    line.heal();
    const { code } = await first.exited;
    expect(code).toBe(1);
    expect(first.lines.join("\n")).toMatch(/Another directory has begun an epoch/);
  });
});
