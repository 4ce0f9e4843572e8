/** Keeps a program running: starts it again when it ends. */
import { Backoff, type Random } from "@meridian/runtime";
import { ManagedProcess, SERVER_EXIT, type ProcessEnd } from "@meridian/supervision";

/** What to run, and the callbacks. */
export interface ChildOptions {
  readonly name: string;
  /** The program and its arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly random: Random;
  /** Called with each line that the program prints. */
  readonly onLine: (line: string) => void;
  /** Called with a sentence when the program has ended or is killed. */
  readonly onNews: (line: string) => void;
  /** Called with each message that the program sends its parent. */
  readonly onMessage: (message: Readonly<Record<string, unknown>>) => void;
  /** Called if the program cannot be kept running: it refuses its configuration, or ends several times before it listens. */
  readonly onGivenUp: (reason: string) => void;
  /** How long the program may take to stop before it is killed, in milliseconds. */
  readonly graceMs: number;
}

/** How many times in a row the program may end soon after its start without ever having listened. */
const EARLY_DEATHS_MAX = 5;
/** If the program ends after it has run for longer than this, in milliseconds, the pauses between starts begin with the shortest again. */
const STEADY_MS = 10_000;

/** Runs one program, and starts it again whenever it ends, until `stop` or `kill`. */
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

  /** The id of the running process; undefined if none runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    const { name, command, env, onLine, onMessage } = this.#options;
    this.#startedMs = performance.now();
    const child = new ManagedProcess({
      name,
      command,
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

  /** Sends SIGTERM, and SIGKILL after the grace. Resolves once the process has ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const { name, graceMs, onNews } = this.#options;
    await this.#child?.stop(graceMs, () =>
      onNews(`${name} has not stopped within ${graceMs} ms and is killed`),
    );
  }

  /** Sends a signal to the process, if it runs. If it ends, it is started again. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.signal(signal);
  }

  /** Kills the process at once. */
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
    const isSteady = performance.now() - this.#startedMs > STEADY_MS;
    this.#earlyDeaths = this.#listened || isSteady ? 0 : this.#earlyDeaths + 1;
    if (this.#earlyDeaths >= EARLY_DEATHS_MAX) {
      onGivenUp(`${name} ended ${this.#earlyDeaths} times before it listened (${how})`);
      return;
    }
    if (isSteady) this.#pauses.reset();
    const pauseMs = Math.round(this.#pauses.nextMs());
    onNews(`${name} ended (${how}); it is started again in ${pauseMs} ms`);
    this.#restart = setTimeout(() => this.start(), pauseMs);
  }
}
