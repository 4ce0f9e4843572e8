/**
 * What the programs that serve have in common: reading their options, telling systemd and their parent how they stand,
 * stopping in order on a signal, and saying in plain words why they cannot run.
 */
import {
  formatUsage,
  OptionsError,
  type LogSettings,
  type OptionSources,
  type ParsedOptions,
  type ProgramDescription,
} from "@meridian/options";
import { asMeridianError } from "@meridian/protocol";
import { lineLogger, systemClock, type Logger } from "@meridian/runtime";
import { notifyReady, notifyStopping, startWatchdog } from "./notify.ts";
import { goesToJournal } from "./journal.ts";
import { outliveOutput } from "./output.ts";
import { exitWhenParentDies } from "./parent.ts";
import { readAgain } from "./read-again.ts";
import { SERVER_EXIT } from "./server-exit.ts";

/** What a server is given of the process that it runs in. */
export interface ServerProcess {
  readonly logger: Logger;
  /** Tells the parent process, if it listens. */
  readonly tell: (message: Readonly<Record<string, unknown>>) => void;
  /** Ends the process at once, for its supervisor to start it anew. */
  readonly fail: () => void;
}

/** A server that runs. */
export interface RunningServer<Values> {
  readonly url: string;
  /**
   * Reads anew what it can while it runs, and logs what came of it. `changed` are the options as they are now, where they
   * could be read. Without it, nothing is read after the start.
   */
  reload?(changed?: Values): Promise<void>;
  /** Stops it in order. */
  stop(): Promise<void>;
}

/** A program that serves until it is told to stop. */
export interface ServerProgram<Values extends LogSettings> extends ProgramDescription {
  version(): string;
  /** Reads what the command line asks for. Throws `OptionsError`. */
  parse(sources: OptionSources): ParsedOptions<Values>;
  /** Resolves once it listens. */
  start(values: Values, process: ServerProcess): Promise<RunningServer<Values>>;
}

/** Runs a program in this process, which exits with 0, with 1 if it failed, or with 2 if it cannot run as it is configured. */
export async function runServer<Values extends LogSettings>(
  program: ServerProgram<Values>,
): Promise<void> {
  outliveOutput();
  // From the beginning: the parent may die while this program is still starting.
  exitWhenParentDies(systemClock);
  try {
    const parsed = program.parse({ argv: process.argv.slice(2), env: process.env });
    if (parsed.kind === "help") process.stdout.write(`${formatUsage(program)}\n`);
    else if (parsed.kind === "version") process.stdout.write(`${program.version()}\n`);
    else await serve(program, parsed.values);
  } catch (cause) {
    for (const line of explain(cause)) process.stderr.write(`${program.name}: ${line}\n`);
    process.exit(isConfigError(cause) ? SERVER_EXIT.invalidConfig : SERVER_EXIT.failed);
  }
}

async function serve<Values extends LogSettings>(
  program: ServerProgram<Values>,
  values: Values,
): Promise<void> {
  const log = {
    clock: systemClock,
    write: (line: string) => void process.stdout.write(`${line}\n`),
    level: values.logLevel,
    format: values.logFormat,
    hasPriorities: goesToJournal(process.stdout.fd, process.env),
  };
  const logger = lineLogger(log);
  const fail = (): void => process.exit(SERVER_EXIT.failed);
  let server: RunningServer<Values> | undefined;
  let current = values;
  // It comes when the terminal that started this program is closed, too.
  process.on("SIGHUP", () => {
    logger.info("received SIGHUP and goes on: certificates are read again, and the cluster file");
    const changed = readAgain(program, current, logger);
    if (changed !== undefined) {
      current = changed;
      log.level = changed.logLevel;
    }
    void server?.reload?.(changed);
  });
  server = await program.start(values, { logger, tell, fail });
  notifyReady(`listening on ${server.url}`);
  startWatchdog(systemClock);
  stopOnSignal(server, logger);
  tell({ type: "listening", url: server.url });
}

function stopOnSignal(server: Pick<RunningServer<never>, "stop">, logger: Logger): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    // Whoever asks twice does not want to wait.
    if (stopping) process.exit(SERVER_EXIT.failed);
    stopping = true;
    notifyStopping();
    logger.info(`received ${signal}`);
    server.stop().then(
      () => process.exit(SERVER_EXIT.stopped),
      (cause: unknown) => {
        logger.error("stopping failed", { error: explain(cause).join("; ") });
        process.exit(SERVER_EXIT.failed);
      },
    );
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

function tell(message: Readonly<Record<string, unknown>>): void {
  if (process.connected) process.send?.(message);
}

function isConfigError(cause: unknown): boolean {
  return cause instanceof OptionsError || asMeridianError(cause).code === "INVALID_CONFIG";
}

function explain(cause: unknown): readonly string[] {
  if (cause instanceof OptionsError) return [...cause.problems, "see --help"];
  const { code, message } = asMeridianError(cause);
  return [`${code}: ${message}`];
}
