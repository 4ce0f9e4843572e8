/** A region that is filled, with a directory and a second region that hold the same. */
import type { NodePrograms } from "@meridian/local-cluster";

import { heldBy, probed } from "../../soak/memory-probe.ts";
import type { Filled } from "./memory-row.ts";
import { TwoRegions } from "./meridian.ts";
import type { Workplace } from "./workplace.ts";

/** More than any row fills in, and twice the memory that it takes. */
const BOUNDS = ["--cache-entries=2000000", "--cache-bytes=2000000000"];

/** Starts all. Only the region that is written to is counted. */
export async function fillRegion(workplace: Workplace, programs: NodePrograms): Promise<Filled> {
  const told = workplace.folder("told");
  // The probe in the program writes there.
  process.env["SOAK_FOLDER"] = told;
  const watched = { directory: programs.directory, region: probed(programs.region) };
  const cluster = await TwoRegions.start(workplace, watched, BOUNDS);
  const region = cluster.first;
  return {
    pids: [region.pid ?? NaN],
    fill: (count) => cluster.write(count, "filled"),
    liveBytes: async () => (await heldBy(region, told)).heapBytes,
    stop: () => cluster.stop(),
  };
}
