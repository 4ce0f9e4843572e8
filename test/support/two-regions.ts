/** Two regions behind lines that can be cut, for clients of each transport. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { LinkProxy, startSmallDirectory, startSmallRegion, until } from "@meridian/harness";
import type { RunningRegion } from "@meridian/region";
import { afterAll } from "vitest";

/** Over what the requests of a client go. */
export const TRANSPORTS = ["http", "websocket"] as const;

/** One of them. */
export type TestedTransport = (typeof TRANSPORTS)[number];

/** A region, and the line to it. */
export interface LinedRegion {
  readonly region: RunningRegion;
  readonly line: LinkProxy;
}

/** Two regions of one cluster. */
export interface TwoRegions {
  readonly oslo: LinedRegion;
  readonly rome: LinedRegion;
}

/** Starts them. All is stopped when the tests of the file have ended. */
export async function startTwoRegions(): Promise<TwoRegions> {
  const folder = mkdtempSync(join(tmpdir(), "meridian-two-"));
  const stops: (() => Promise<void>)[] = [];
  afterAll(async () => {
    for (const stop of stops) await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const directory = await startSmallDirectory({ data: join(folder, "directory") });
  stops.push(() => directory.stop());
  const start = async (id: string): Promise<LinedRegion> => {
    const data = join(folder, id);
    const options = { id, data, directory: [directory.url], valueBytesMax: 100_000 };
    const region = await startSmallRegion(options);
    stops.unshift(() => region.stop());
    await until(`${id} is ready`, () => region.status === "ready");
    const line = await LinkProxy.listen();
    line.target = region.url;
    stops.unshift(() => line.close());
    return { region, line };
  };
  return { oslo: await start("oslo"), rome: await start("rome") };
}

/** Ends the connections of a line; others may be made. */
export function interrupt({ line }: LinedRegion): void {
  line.cut();
  line.heal();
}
