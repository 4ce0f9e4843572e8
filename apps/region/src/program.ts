import { parseFlags } from "@meridian/cluster-file";
import { REGION_OPTIONS, PROGRAM_SUMMARIES } from "@meridian/options";
import { runServer } from "@meridian/supervision";

import { startRegion } from "./start-region.ts";
import { programVersion } from "./version.ts";

void runServer({
  name: "meridian-region",
  summary: PROGRAM_SUMMARIES.region,
  options: REGION_OPTIONS,
  version: programVersion,
  parse: (sources) => parseFlags("region", sources),
  start: (flags, { logger, tell, fail }) =>
    startRegion({
      ...flags,
      logger,
      onStatus: (status) => tell({ type: "status", status }),
      onFatal: fail,
    }),
});
