/** The development cluster: directories and regions, each a process of its own. */
import { join } from "node:path";

import { directoryArguments, placeArguments, regionArguments } from "@meridian/local-cluster";
import type { Random } from "@meridian/runtime";
import type { NodeProgram } from "@meridian/supervision";

import type { CliIo } from "../io.ts";
import type { RunningDirectory } from "./banner.ts";
import type { DevConfig } from "./dev-config.ts";
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

  /** Starts all programs at the same time. Regions dial the directory until it listens. */
  start(): void {
    const { config, ports, directoryProgram, regionProgram, dialled } = this.#options;
    const urls = this.directories.map(({ url }) => url);
    config.directories.forEach(({ id, place }, index) => {
      const peers = urls.filter((_, other) => other !== index);
      const args = [`--id=${id}`, ...directoryArguments(peers, place)];
      this.#add(id, directoryProgram, [...this.#common(id, ports.directories[index]), ...args]);
    });
    config.regions.forEach((region, index) => {
      const { id } = region;
      const port = ports.regions[index];
      const args = [...regionArguments(region, dialled?.(id) ?? urls)];
      // The `url` of the cluster file is an address on the node's own machine.
      if (config.clusterFile !== undefined) args.push(`--url=${urlOf(port)}`);
      this.#add(id, regionProgram, [...this.#common(id, port), ...args]);
    });
    for (const child of this.#children.values()) child.start();
  }

  #common(id: string, port = 0): readonly string[] {
    const { config, dataPath } = this.#options;
    const args = placeArguments("127.0.0.1", port, join(dataPath, id));
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

  /** Stops the regions, which hand over the writes that the directories lack, and then the directories. */
  async stop(): Promise<void> {
    const children = [...this.#children];
    const regions = children.filter(([name]) => !this.#isDirectory(name));
    await Promise.all(regions.map(([, child]) => child.stop()));
    const directories = children.filter(([name]) => this.#isDirectory(name));
    await Promise.all(directories.map(([, child]) => child.stop()));
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
    for (const child of this.#children.values()) child.kill();
  }

  #add(name: string, program: NodeProgram, args: readonly string[]): void {
    const { random, graceMs, io } = this.#options;
    const child = new SupervisedChild({
      name,
      program,
      args,
      env: io.env,
      random,
      graceMs,
      onLine: (line) => this.#log.write(name, line),
      onNews: (line) => {
        this.#ready.delete(name);
        this.say(line);
      },
      onMessage: (message) => this.#onMessage(name, message),
      onGivenUp: (reason) => this.#onGivenUp(reason),
    });
    this.#children.set(name, child);
  }

  #onMessage(name: string, message: Readonly<Record<string, unknown>>): void {
    const { type, status } = message;
    const isReady = this.#isDirectory(name)
      ? type === "listening"
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
