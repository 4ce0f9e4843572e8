#!/usr/bin/env node
import { asMeridianError, MeridianError } from "@meridian/protocol";
import { formatUsage, lineLogger, OptionsError, systemClock, type Logger } from "@meridian/runtime";
import {
  exitWhenParentDies,
  notifyReady,
  notifyStopping,
  outliveOutput,
  startWatchdog,
} from "@meridian/supervision";

import { parseRegionFlags, REGION_FLAGS, type RegionFlags } from "./region-flags.ts";
import { startRegion } from "./start-region.ts";
import { programVersion } from "./version.ts";

const EXIT_FAILED = 1;
const EXIT_INVALID_CONFIG = 2;

const PROGRAM = {
  name: "meridian-region",
  summary: "Runs a regional node of a Meridian cluster: reads and writes at local speed.",
  options: REGION_FLAGS,
};

outliveOutput();
// From the beginning: the parent may die while this program is still starting.
exitWhenParentDies(systemClock);
try {
  const parsed = parseRegionFlags({ argv: process.argv.slice(2), env: process.env });
  if (parsed.kind === "help") process.stdout.write(`${formatUsage(PROGRAM)}\n`);
  else if (parsed.kind === "version") process.stdout.write(`${programVersion()}\n`);
  else await run(parsed.values);
} catch (cause) {
  process.stderr.write(`${PROGRAM.name}: ${explain(cause)}\n`);
  process.exitCode = isConfigError(cause) ? EXIT_INVALID_CONFIG : EXIT_FAILED;
}

async function run(flags: RegionFlags): Promise<void> {
  const logger = lineLogger({
    clock: systemClock,
    write: (line) => process.stdout.write(`${line}\n`),
    level: flags.logLevel,
    format: flags.logFormat,
  });
  const region = await startRegion({
    ...flags,
    region: flags.region ?? flags.id,
    logger,
    onStatus: (status) => tell({ type: "status", status }),
    onFatal: () => process.exit(EXIT_FAILED),
  });
  notifyReady(`listening on ${region.url}`);
  startWatchdog(systemClock);
  stopOnSignal(region, logger);
  tell({ type: "listening", url: region.url });
}

function stopOnSignal(region: { stop(): Promise<void> }, logger: Logger): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    // Whoever asks twice does not want to wait.
    if (stopping) process.exit(EXIT_FAILED);
    stopping = true;
    notifyStopping();
    logger.info(`received ${signal}`);
    region.stop().then(
      () => process.exit(0),
      (cause: unknown) => {
        logger.error("stopping failed", { error: explain(cause) });
        process.exit(EXIT_FAILED);
      },
    );
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

/** Tells the parent process, if it listens. */
function tell(message: Readonly<Record<string, unknown>>): void {
  if (process.connected) process.send?.(message);
}

function isConfigError(cause: unknown): boolean {
  return (
    cause instanceof OptionsError ||
    (cause instanceof MeridianError && cause.code === "INVALID_CONFIG")
  );
}

function explain(cause: unknown): string {
  if (cause instanceof OptionsError) return cause.problems.join("\n  ");
  const { code, message } = asMeridianError(cause);
  return `${code}: ${message}`;
}
