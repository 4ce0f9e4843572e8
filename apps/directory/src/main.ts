#!/usr/bin/env node
import { runServer } from "@meridian/supervision";

import { DIRECTORY_FLAGS, parseDirectoryFlags } from "./directory-flags.ts";
import { startDirectory } from "./start-directory.ts";
import { programVersion } from "./version.ts";

await runServer({
  name: "meridian-directory",
  summary:
    "Runs the directory of a Meridian cluster: it knows every node, and carries every write to all of them.",
  options: DIRECTORY_FLAGS,
  version: programVersion,
  parse: parseDirectoryFlags,
  // Where it fails, nothing is lost: the nodes keep what was not acknowledged.
  start: (flags, { logger, fail }) => startDirectory({ ...flags, logger, onFatal: fail }),
});
