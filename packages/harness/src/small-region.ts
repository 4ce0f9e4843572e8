import { startRegion, type RegionOptions, type RunningRegion } from "@meridian/region";
import { silentLogger } from "@meridian/runtime";

/** What tells one region of a test from another. */
export type SmallRegion = Pick<RegionOptions, "id" | "data" | "directory"> & Partial<RegionOptions>;

/** Starts a region in this process that holds little, at a port of its own. */
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
