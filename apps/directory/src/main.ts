#!/usr/bin/env node
import { asMeridianError } from "@meridian/protocol";
import { formatUsage, lineLogger, OptionsError, systemClock } from "@meridian/runtime";
import {
  exitWhenParentDies,
  notifyReady,
  notifyStopping,
  outliveOutput,
  startWatchdog,
} from "@meridian/supervision";

import { DIRECTORY_FLAGS, parseDirectoryFlags, type DirectoryFlags } from "./directory-flags.ts";
import { startDirectory, type RunningDirectory } from "./start-directory.ts";
import { programVersion } from "./version.ts";

const EXIT_FAILED = 1;
const EXIT_INVALID_CONFIG = 2;

const PROGRAM = {
  name: "meridian-directory",
  summary:
    "Runs the directory of a Meridian cluster: it knows every node, and carries every write to all of them.",
  options: DIRECTORY_FLAGS,
};

outliveOutput();
// From the beginning: the parent may die while this program is still starting.
exitWhenParentDies(systemClock);
try {
  const parsed = parseDirectoryFlags({ argv: process.argv.slice(2), env: process.env });
  if (parsed.kind === "help") process.stdout.write(`${formatUsage(PROGRAM)}\n`);
  else if (parsed.kind === "version") process.stdout.write(`${programVersion()}\n`);
  else await run(parsed.values);
} catch (cause) {
  fail(cause);
}

async function run(flags: DirectoryFlags): Promise<void> {
  const logger = lineLogger({
    clock: systemClock,
    write: (line) => process.stdout.write(`${line}\n`),
    level: flags.logLevel,
    format: flags.logFormat,
  });
  const directory = await startDirectory({
    ...flags,
    logger,
    // Nothing is lost: the nodes keep what was not acknowledged, and the supervisor starts a new process.
    onFatal: () => process.exit(EXIT_FAILED),
  });
  if (process.connected) process.send?.({ type: "listening", url: directory.url });
  notifyReady(`listening on ${directory.url}`);
  startWatchdog(systemClock);
  stopOnSignal(directory);
}

function stopOnSignal(directory: RunningDirectory): void {
  let stopping = false;
  const stop = (): void => {
    // Whoever asks twice does not want to wait.
    if (stopping) process.exit(EXIT_FAILED);
    stopping = true;
    notifyStopping();
    directory.stop().then(() => process.exit(0), fail);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

function fail(cause: unknown): void {
  if (cause instanceof OptionsError) {
    for (const problem of cause.problems) complain(problem);
    complain("see --help");
    process.exit(EXIT_INVALID_CONFIG);
  }
  const { code, message } = asMeridianError(cause);
  complain(`${code}: ${message}`);
  process.exit(code === "INVALID_CONFIG" ? EXIT_INVALID_CONFIG : EXIT_FAILED);
}

function complain(text: string): void {
  process.stderr.write(`${PROGRAM.name}: ${text}\n`);
}
