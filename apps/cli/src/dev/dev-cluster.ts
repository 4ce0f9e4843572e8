/** The development cluster: directories and regions, each a process of its own. */
import { join } from "node:path";

import { directoryArguments, placeArguments, regionArguments } from "@meridian/local-cluster";
import type { Random } from "@meridian/runtime";
import { commandOf, type NodeProgram } from "@meridian/supervision";

import type { CliIo } from "../io.ts";
import type { RunningDirectory } from "./banner.ts";
import type { DevConfig } from "./dev-config.ts";
import { isNews, logAddress, SERVER_NAMES, writeServers } from "./dev-log.ts";
import { DevLog } from "./log-lines.ts";
import type { Ports } from "./ports.ts";
import { SupervisedChild } from "./supervised-child.ts";

/** The options of a `DevCluster`. */
export interface ClusterOptions {
  readonly config: DevConfig;
  readonly ports: Ports;
  readonly dataPath: string;
  readonly directoryProgram: NodeProgram;
  readonly regionProgram: NodeProgram;
  readonly io: CliIo;
  readonly random: Random;
  readonly graceMs: number;
  /** The URLs at which a region dials the directories, in order of preference. Default: their own. */
  readonly dialled?: (region: string) => readonly string[] | undefined;
}

/** Starts, watches and stops the processes of a cluster. */
export class DevCluster {
  readonly #options: ClusterOptions;
  readonly #log: DevLog;
  readonly #children = new Map<string, SupervisedChild>();
  /** The nats-servers, which say nothing when they are ready. */
  readonly #servers: SupervisedChild[] = [];
  /** Directories that are started once the first one has the log, so that it is the one that writes. */
  #standbys: SupervisedChild[] = [];
  /** The names of the programs that have been ready since their last start. */
  readonly #ready = new Set<string>();
  /** The directories in order of preference. */
  readonly directories: readonly RunningDirectory[];
  /** Resolves once every program is ready. Stays pending if one cannot be kept running: see `givenUp`. */
  readonly ready: Promise<void>;
  /** Resolves, once a program cannot be kept running, to the reason. */
  readonly givenUp: Promise<string>;
  #onReady: () => void = () => {};
  #onGivenUp: (reason: string) => void = () => {};
  #allReady = false;

  constructor(options: ClusterOptions) {
    this.#options = options;
    const { config, ports } = options;
    const names = [...config.directories, ...config.regions].map(({ id }) => id);
    if (config.log === "nats") names.push(...SERVER_NAMES);
    this.#log = new DevLog(options.io, names);
    this.directories = config.directories.map(({ id }, index) => ({
      id,
      url: urlOf(ports.directories[index]),
    }));
    this.ready = new Promise((resolve) => {
      this.#onReady = resolve;
    });
    this.givenUp = new Promise((resolve) => {
      this.#onGivenUp = resolve;
    });
  }

  /** Starts all programs at the same time, but for directories beside the one that writes. Regions dial the directory until it listens. */
  start(): void {
    this.#addServers();
    this.#addDirectories();
    this.#addRegions();
    const [, ...others] = this.directories;
    const later = this.#options.config.log === "nats" ? others : [];
    this.#standbys = later.flatMap(({ id }) => this.#children.get(id) ?? []);
    const now = [...this.#children.values()].filter((child) => !this.#standbys.includes(child));
    for (const child of [...this.#servers, ...now]) child.start();
  }

  #addServers(): void {
    const { config, ports } = this.#options;
    if (config.log !== "nats") return;
    for (const { name, command } of writeServers(this.#natsFolder, ports.nats)) {
      const onLine = (line: string): void => {
        if (isNews(line)) this.#log.write(name, line);
      };
      this.#servers.push(this.#child(name, command, onLine));
    }
  }

  /** The folder with the streams, and with what directories make of them. No program has an id with a dot. */
  get #natsFolder(): string {
    return join(this.#options.dataPath, "log.nats");
  }

  #addDirectories(): void {
    const { config, ports, directoryProgram, dataPath } = this.#options;
    const isStream = config.log === "nats";
    const urls = this.directories.map(({ url }) => url);
    config.directories.forEach(({ id, place }, index) => {
      const peers = isStream ? [] : urls.filter((_, other) => other !== index);
      const log = isStream ? [`--log=${logAddress(ports.nats)}`] : [];
      const folder = isStream ? this.#natsFolder : dataPath;
      const common = this.#common(join(folder, id), ports.directories[index]);
      const args = [...common, `--id=${id}`, ...directoryArguments(peers, place), ...log];
      this.#add(id, commandOf(directoryProgram, args));
    });
  }

  #addRegions(): void {
    const { config, ports, regionProgram, dialled, dataPath } = this.#options;
    const urls = this.directories.map(({ url }) => url);
    config.regions.forEach((region, index) => {
      const { id } = region;
      const port = ports.regions[index];
      // Over a stream, each directory is the first choice of some regions.
      const first = config.log === "nats" ? index % urls.length : 0;
      const ordered = [...urls.slice(first), ...urls.slice(0, first)];
      const args = [...regionArguments(region, dialled?.(id) ?? ordered)];
      // The `url` of the cluster file is an address on the node's own machine.
      if (config.clusterFile !== undefined) args.push(`--url=${urlOf(port)}`);
      this.#add(id, commandOf(regionProgram, [...this.#common(join(dataPath, id), port), ...args]));
    });
  }

  #common(data: string, port = 0): readonly string[] {
    const { config } = this.#options;
    const args = placeArguments("127.0.0.1", port, data);
    return config.clusterFile === undefined
      ? args
      : [
          `--cluster-file=${config.clusterFile}`,
          "--insecure-no-tls",
          "--insecure-no-tokens",
          ...args,
        ];
  }

  /** Prints a line of `dev` itself. */
  say(line: string): void {
    this.#log.write("dev", line);
  }

  /** The names of the programs that are not ready. */
  get waitingFor(): readonly string[] {
    return [...this.#children.keys()].filter((name) => !this.#ready.has(name));
  }

  /** Stops the regions, which hand over the writes that the directories lack, then the directories, and then the servers with their log. */
  async stop(): Promise<void> {
    const children = [...this.#children];
    const regions = children.filter(([name]) => !this.#isDirectory(name));
    await Promise.all(regions.map(([, child]) => child.stop()));
    const directories = children.filter(([name]) => this.#isDirectory(name));
    await Promise.all(directories.map(([, child]) => child.stop()));
    await Promise.all(this.#servers.map((server) => server.stop()));
  }

  #isDirectory(name: string): boolean {
    return this.directories.some(({ id }) => id === name);
  }

  /** Sends a signal to the program of that name, if it runs. */
  signal(name: string, signal: NodeJS.Signals): void {
    this.#children.get(name)?.signal(signal);
  }

  /** Ends every process now. */
  kill(): void {
    for (const child of [...this.#children.values(), ...this.#servers]) child.kill();
  }

  #add(name: string, command: readonly string[]): void {
    const onLine = (line: string): void => this.#log.write(name, line);
    this.#children.set(name, this.#child(name, command, onLine));
  }

  #child(
    name: string,
    command: readonly string[],
    onLine: (line: string) => void,
  ): SupervisedChild {
    const { random, graceMs, io } = this.#options;
    return new SupervisedChild({
      name,
      command,
      env: io.env,
      random,
      graceMs,
      onLine,
      onNews: (line) => {
        this.#ready.delete(name);
        this.say(line);
      },
      onMessage: (message) => this.#onMessage(name, message),
      onGivenUp: (reason) => this.#onGivenUp(reason),
    });
  }

  #onMessage(name: string, message: Readonly<Record<string, unknown>>): void {
    const { type, status } = message;
    const isDirectory = this.#isDirectory(name);
    if (isDirectory && type === "listening") {
      for (const standby of this.#standbys.splice(0)) standby.start();
    }
    const isReady = isDirectory
      ? type === "listening" || status === "standby"
      : type === "status" && status === "ready";
    if (!isReady || this.#ready.has(name)) return;
    this.#ready.add(name);
    if (this.#allReady) this.say(`${name} is ready again`);
    if (this.#allReady || this.waitingFor.length > 0) return;
    this.#allReady = true;
    this.#onReady();
  }
}

function urlOf(port = 0): string {
  return `http://127.0.0.1:${port}`;
}
