#!/usr/bin/env node
import { runServer } from "@meridian/supervision";

import { parseRegionFlags, REGION_FLAGS } from "./region-flags.ts";
import { startRegion } from "./start-region.ts";
import { programVersion } from "./version.ts";

await runServer({
  name: "meridian-region",
  summary: "Runs a regional node of a Meridian cluster: reads and writes at local speed.",
  options: REGION_FLAGS,
  version: programVersion,
  parse: parseRegionFlags,
  start: (flags, { logger, tell, fail }) =>
    startRegion({
      ...flags,
      region: flags.region ?? flags.id,
      logger,
      onStatus: (status) => tell({ type: "status", status }),
      onFatal: fail,
    }),
});
