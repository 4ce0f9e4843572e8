/** A program that is started again when it dies. */
import { Backoff, type Random } from "@meridian/runtime";
import {
  commandOf,
  ManagedProcess,
  SERVER_EXIT,
  type NodeProgram,
  type ProcessEnd,
} from "@meridian/supervision";

/** What to run and whom to tell. */
export interface ChildOptions {
  readonly name: string;
  readonly program: NodeProgram;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly random: Random;
  /** A line that the program wrote. */
  readonly onLine: (line: string) => void;
  /** A line about the program. */
  readonly onNews: (line: string) => void;
  /** What the program sends its parent. */
  readonly onMessage: (message: Readonly<Record<string, unknown>>) => void;
  /** It cannot be kept running: it refuses its configuration, or has never come to listen. */
  readonly onGivenUp: (reason: string) => void;
  /** How long it may take to stop before it is killed, in milliseconds. */
  readonly graceMs: number;
}

/** How many times it may die, one after the other, before it has listened once. */
const EARLY_DEATHS_MAX = 5;
/** Once it has run for this long, the next death is not counted as one of a series. */
const STEADY_MS = 10_000;

/** Runs one program, again and again, until it is stopped. */
export class SupervisedChild {
  readonly #options: ChildOptions;
  readonly #pauses: Backoff;
  #child: ManagedProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #stopping = false;
  #listened = false;
  #earlyDeaths = 0;
  #startedMs = 0;

  constructor(options: ChildOptions) {
    this.#options = options;
    this.#pauses = new Backoff({ random: options.random, firstMs: 200, maxMs: 10_000 });
  }

  /** The number of the process that runs now. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    const { name, program, args, env, onLine, onMessage } = this.#options;
    this.#startedMs = performance.now();
    const child = new ManagedProcess({
      name,
      command: commandOf(program, args),
      env,
      output: onLine,
      onMessage: (message) => {
        if (message["type"] === "listening") this.#listened = true;
        onMessage(message);
      },
    });
    this.#child = child;
    void child.exited.then((end) => this.#onExit(end));
  }

  /** Stops it in order: SIGTERM, and SIGKILL when the grace is over. Resolves once it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const { name, graceMs, onNews } = this.#options;
    await this.#child?.stop(graceMs, () =>
      onNews(`${name} has not stopped within ${graceMs} ms and is killed`),
    );
  }

  /** Ends it now. */
  kill(): void {
    this.#stopping = true;
    clearTimeout(this.#restart);
    this.#child?.signal("SIGKILL");
  }

  #onExit({ how, code }: ProcessEnd): void {
    this.#child = undefined;
    if (this.#stopping) return;
    const { name, onNews, onGivenUp } = this.#options;
    if (code === SERVER_EXIT.invalidConfig) {
      onGivenUp(`${name} refuses its configuration (${how}); its log says why`);
      return;
    }
    this.#earlyDeaths = this.#listened ? 0 : this.#earlyDeaths + 1;
    if (this.#earlyDeaths >= EARLY_DEATHS_MAX) {
      onGivenUp(`${name} ended ${this.#earlyDeaths} times before it listened (${how})`);
      return;
    }
    if (performance.now() - this.#startedMs > STEADY_MS) this.#pauses.reset();
    const pauseMs = Math.round(this.#pauses.nextMs());
    onNews(`${name} ended (${how}); it is started again in ${pauseMs} ms`);
    this.#restart = setTimeout(() => this.start(), pauseMs);
  }
}
