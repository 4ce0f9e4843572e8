/** The processes of directories whose log is in a stream: they open it, stand by, serve nodes beside the one that writes, and take over, as the programs do. */
import type { LogStream } from "@meridian/log-jetstream/source/log-stream";
import { openOverStream } from "@meridian/log-jetstream/source/opening";
import { ALL_STREAM_RULES } from "@meridian/log-jetstream/source/rules";
import type { FollowedLog, StandbyServer } from "@meridian/log-jetstream/source/standby";
import type { StreamLog } from "@meridian/log-jetstream/source/stream-log";
import { Directory, ServingDirectory, type DirectoryLimits } from "@meridian/replication";
import type { Rules } from "@meridian/replication/source/rules";
import { silentLogger } from "@meridian/runtime";

import type { Network } from "../network.ts";
import type { ProcessState, StreamParts } from "./stream-parts.ts";
import { ProcessClock, type World } from "../world.ts";
import { MemoryFolder, type FolderDisk } from "./memory-folder.ts";
import type { Nats } from "./nats.ts";
import { NatsConnection } from "./nats-connection.ts";
import type { PlacedLog } from "./placed-log.ts";

/** How a process is made. */
export interface StreamProcessOptions {
  readonly host: string;
  readonly machine: { skewMs: number };
  readonly disk: FolderDisk;
  readonly world: World;
  readonly network: Network;
  readonly nats: Nats;
  readonly limits: Partial<DirectoryLimits>;
  readonly rules: Rules;
  readonly parts: StreamParts;
  readonly silenceMs: number;
  readonly snapshotBytes: number;
  readonly commitMs: () => number;
  /** A database was opened. */
  readonly onOpened: (log: PlacedLog) => void;
  /** The machine that serves nodes now, with the log that it has; undefined for none. */
  readonly onServing: (machine: Directory | ServingDirectory | undefined, log: PlacedLog) => void;
  /** The process ends by itself; `why` is said to its supervisor. */
  readonly onEnded: (why: unknown) => void;
}

/** One process. */
export class StreamProcess {
  readonly clock: ProcessClock;
  readonly #options: StreamProcessOptions;
  readonly #connections: readonly [LogStream, LogStream];
  #log: StreamLog<PlacedLog> | undefined;
  #opened: PlacedLog | undefined;
  #running: Directory | ServingDirectory | undefined;
  /** Ends what has served nodes until this process came to write the log. */
  #leave: () => void = () => {};
  #endLinks: () => void = () => {};
  #isOver = false;

  constructor(options: StreamProcessOptions) {
    const { world, machine, nats, network, host, parts, disk } = options;
    this.#options = options;
    this.clock = new ProcessClock(world, machine);
    const { clock } = this;
    const connect = (stream: Nats["log"]): NatsConnection =>
      new NatsConnection({ nats, stream, network, host, clock });
    const state = (): ProcessState => ({ isWriter: this.isWriter, database: disk.database });
    const log = connect(nats.log);
    this.#connections = [parts.connection?.(log, state) ?? log, connect(nats.snapshots)];
  }

  /** Whether this process writes the log, as far as it knows. */
  get isWriter(): boolean {
    return this.#log !== undefined;
  }

  start(): void {
    const { world, disk, silenceMs, snapshotBytes, commitMs, onOpened, parts } = this.#options;
    const { clock } = this;
    const [stream, snapshots] = this.#connections;
    const opened = (log: PlacedLog): void => {
      this.#opened = log;
      parts.opened?.(log);
      onOpened(log);
    };
    openOverStream(
      { stream, snapshots },
      {
        cluster: "simulated",
        folder: new MemoryFolder({ disk, world, clock, commitMs, onOpened: opened }),
        clock,
        logger: silentLogger,
        random: world.random,
        onLost: (failure) => this.#end(failure),
        onCutOff: (why) => this.#running?.release(why),
        serveBeside: (log) => this.#serveBeside(log),
        silenceMs,
        snapshotBytes,
        rules: { ...ALL_STREAM_RULES, ...parts.rules },
      },
    ).then(
      (log) => this.#serveAsWriter(log),
      (why: unknown) => this.#end(why),
    );
  }

  /** The process dies. What it has sent may still arrive. */
  kill(): void {
    this.#isOver = true;
    this.#opened?.crash();
    this.clock.die();
    for (const connection of this.#connections) void connection.close();
  }

  /** Stops in order. Resolves when the process may end. */
  async stop(): Promise<void> {
    this.#endLinks();
    this.#running?.stop();
    await this.#log?.close();
  }

  #end(why: unknown): void {
    if (!this.#isOver && this.clock.isAlive) this.#options.onEnded(why);
  }

  #serveAsWriter(log: StreamLog<PlacedLog>): void {
    const { limits, rules, onServing } = this.#options;
    const { clock } = this;
    this.#log = log;
    const machine = new Directory(
      {
        cluster: "simulated",
        log,
        clock,
        logger: silentLogger,
        limits,
        sharesLog: true,
        onFatal: (failure) => this.#end(failure),
        defer: (callback) => clock.after(0, callback),
      },
      rules,
    );
    machine.start();
    this.#running = machine;
    onServing(machine, log.state);
    this.#endLinks = log.takeLinks(
      {
        accept: (link, address, feed) => machine.accept(link, address, feed),
        registry: () => machine.registry,
        ask: async () => "",
      },
      silentLogger,
    );
    this.#leave();
  }

  async #serveBeside({ state, uplink }: FollowedLog<PlacedLog>): Promise<StandbyServer> {
    const { limits, onServing, parts } = this.#options;
    const { clock } = this;
    const directory = new ServingDirectory({
      log: state,
      uplink,
      clock,
      logger: silentLogger,
      limits,
      defer: (callback) => clock.after(0, callback),
    });
    directory.start();
    this.#running = directory;
    onServing(directory, state);
    uplink.start({
      onUp: (isUp) => directory.onUp(isUp),
      onCommitted: (through) => directory.onCommitted(parts.committed?.(through) ?? through),
      onRegistry: (text) => directory.onRegistry(text),
    });
    return {
      get head() {
        return directory.head;
      },
      onFrame: (frame) => directory.onFrame(frame),
      end: async (isWriter) => {
        if (isWriter) {
          this.#leave = () => directory.stop(true);
          return;
        }
        this.#running = undefined;
        onServing(undefined, state);
        directory.stop();
      },
    };
  }
}
