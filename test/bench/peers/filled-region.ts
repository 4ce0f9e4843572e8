/** A region that is filled, with a directory and a second region that hold the same. */
import type { NodePrograms } from "@meridian/local-cluster";

import { heldBy, probed } from "../../soak/memory-probe.ts";
import type { Filled } from "./memory-row.ts";
import { TwoRegions } from "./meridian.ts";
import type { Workplace } from "./workplace.ts";

/** More than any row fills in. */
const CACHE_BYTES = 2_000_000_000;

/** Starts all. Only the region that is written to is counted. */
export async function fillRegion(
  workplace: Workplace,
  programs: NodePrograms,
  { entries }: { readonly entries: number },
): Promise<Filled> {
  const told = workplace.folder("told");
  // The probe in the program writes there.
  process.env["SOAK_FOLDER"] = told;
  const watched = { directory: programs.directory, region: probed(programs.region) };
  // Room for all of them, and little more: memory reserves some bytes for each entry that it may hold.
  const bounds = [`--cache-entries=${entries}`, `--cache-bytes=${CACHE_BYTES}`];
  const cluster = await TwoRegions.start(workplace, watched, bounds);
  const region = cluster.first;
  return {
    pids: [region.pid ?? NaN],
    fill: (from, to) => cluster.write(to, "filled", from),
    liveBytes: async () => (await heldBy(region, told)).heapBytes,
    stop: () => cluster.stop(),
  };
}
