import { startRegion, type RegionOptions, type RunningRegion } from "@meridian/region";
import { silentLogger } from "@meridian/runtime";

/** The options of a small region; all others have defaults. */
export type SmallRegion = Pick<RegionOptions, "id" | "data" | "directory"> & Partial<RegionOptions>;

/** Starts a region with a small memory cache in this process, at a free port. */
export function startSmallRegion(options: SmallRegion): Promise<RunningRegion> {
  return startRegion({
    lat: 1,
    lon: 2,
    port: 0,
    cluster: "test",
    cacheEntries: 1_000,
    cacheBytes: 1_000_000,
    valueBytesMax: 1_000,
    logger: silentLogger,
    ...options,
  });
}
