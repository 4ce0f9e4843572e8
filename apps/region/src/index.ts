export { REGION_FLAGS } from "./region-flags.ts";
export { startRegion, type RegionOptions, type RunningRegion } from "./start-region.ts";
