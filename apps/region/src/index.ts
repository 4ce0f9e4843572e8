export { startRegion, type RegionOptions, type RunningRegion } from "./start-region.ts";
