import { parseFlags } from "@meridian/cluster-file";
import { DIRECTORY_OPTIONS, PROGRAM_SUMMARIES } from "@meridian/options";
import { runServer } from "@meridian/supervision";

import { startDirectory } from "./start-directory.ts";
import { programVersion } from "./version.ts";

void runServer({
  name: "meridian-directory",
  summary: PROGRAM_SUMMARIES.directory,
  options: DIRECTORY_OPTIONS,
  version: programVersion,
  parse: (sources) => parseFlags("directory", sources),
  // Where it fails, nothing is lost: the nodes keep what was not acknowledged.
  start: (flags, { logger, fail, standBy }) =>
    startDirectory({ ...flags, logger, onFatal: fail, onStandby: standBy }),
});
