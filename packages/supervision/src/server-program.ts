/**
 * The common part of the server programs: it reads their options, reports their state to systemd and to the parent process,
 * stops them in order on a signal, and prints in plain words why they cannot run.
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
import { boundGenerations } from "./generations.ts";
import { extendStart, notifyReady, notifyStopping, startWatchdog } from "./notify.ts";
import { goesToJournal } from "./journal.ts";
import { outliveOutput } from "./output.ts";
import { exitWhenParentDies } from "./parent.ts";
import { readAgain } from "./read-again.ts";
import { SERVER_EXIT } from "./server-exit.ts";

/** The functions of its process that a server may use. */
export interface ServerProcess<Values> {
  readonly logger: Logger;
  /** Sends a message to the parent process, if there is an IPC channel. */
  readonly tell: (message: Readonly<Record<string, unknown>>) => void;
  /** Ends the process at once with exit code 1, so that its supervisor starts it again. */
  readonly fail: () => void;
  /**
   * Tells systemd and the parent process that the server waits until another one is gone, and where it listens meanwhile. Until `start` resolves, a signal
   * ends it once `beside` has parted with whoever it serves, or after two seconds, and SIGHUP reloads `beside`.
   */
  readonly standBy: (beside?: RunningServer<Values>) => void;
}

/** A running server. */
export interface RunningServer<Values> {
  readonly url: string;
  /**
   * Reloads what can be reloaded while the server runs, and logs the result. `changed` has the present options; it is undefined if they could
   * not be read. A server without this method reloads nothing.
   */
  reload?(changed?: Values): Promise<void>;
  /** Stops the server in order. */
  stop(): Promise<void>;
}

/** A program that serves until it gets a signal to stop. */
export interface ServerProgram<Values extends LogSettings> extends ProgramDescription {
  version(): string;
  /** Parses the command line and the other sources of options. Throws `OptionsError`. */
  parse(sources: OptionSources): ParsedOptions<Values>;
  /** Starts the server. Resolves once it listens. */
  start(values: Values, process: ServerProcess<Values>): Promise<RunningServer<Values>>;
}

/** Runs a program in this process, which exits with 0, with 1 if it failed, or with 2 if it cannot run as it is configured. */
export async function runServer<Values extends LogSettings>(
  program: ServerProgram<Values>,
): Promise<void> {
  boundGenerations();
  outliveOutput();
  // The parent may end while this program is still starting.
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
  /** Whether something was to be reloaded before anything was there that reloads it. */
  let isMissed = false;
  // SIGHUP also comes when the terminal that started this program is closed.
  process.on("SIGHUP", () => {
    logger.info("received SIGHUP and goes on: certificates and options are read again");
    const changed = readAgain(program, current, logger);
    if (changed !== undefined) {
      current = changed;
      log.level = changed.logLevel;
      log.format = changed.logFormat;
    }
    isMissed ||= server === undefined;
    void server?.reload?.(changed);
  });
  const use = (next: RunningServer<Values>): void => {
    server = next;
    if (isMissed) void next.reload?.(current);
    isMissed = false;
  };
  const starting = new Starting(logger);
  const standBy = (beside?: RunningServer<Values>): void => {
    if (beside !== undefined) use(beside);
    starting.standBy(beside);
  };
  const started = await program.start(values, { logger, tell, fail, standBy });
  use(started);
  starting.end();
  notifyReady(`listening on ${started.url}`);
  startWatchdog(systemClock);
  stopOnSignal(started, logger);
  tell({ type: "listening", url: started.url });
}

/** The time in which a server starts, and perhaps waits for another one to be gone. Whoever waits has all that it is to have, so for systemd it is started. */
class Starting {
  readonly #logger: Logger;
  readonly #endExtending: () => void;
  #endWatchdog: () => void = () => {};
  #leave: () => Promise<void> = async () => {};
  #isLeaving = false;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#endExtending = extendStart(systemClock);
  }

  standBy(beside?: Pick<RunningServer<never>, "url" | "stop">): void {
    if (beside !== undefined) this.#leave = () => beside.stop();
    this.#endExtending();
    notifyReady("stands by until the server that works now is gone");
    this.#endWatchdog = startWatchdog(systemClock);
    for (const signal of STOP_SIGNALS) process.on(signal, this.#stop);
    tell({ type: "status", status: "standby", ...(beside && { url: beside.url }) });
  }

  end(): void {
    this.#endExtending();
    this.#endWatchdog();
    for (const signal of STOP_SIGNALS) process.off(signal, this.#stop);
  }

  /** The disk has nothing that is not elsewhere. */
  readonly #stop = (signal: NodeJS.Signals): void => {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    notifyStopping();
    this.#logger.info(`received ${signal}`);
    const end = (): void => process.exit(SERVER_EXIT.stopped);
    systemClock.after(LEAVING_MS, end);
    this.#leave().then(end, end);
  };
}

/** How long a server that stands by may take to part with whoever it serves. */
const LEAVING_MS = 2_000;

const STOP_SIGNALS = ["SIGINT", "SIGTERM"] as const;

function stopOnSignal(server: Pick<RunningServer<never>, "stop">, logger: Logger): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    // A second signal means that the user does not want to wait.
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
  for (const name of STOP_SIGNALS) process.on(name, stop);
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
