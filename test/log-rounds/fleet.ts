/** Three nats-servers, two directories over one stream, and a region at each of them: all as processes, which can be killed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  FIVE_PLACES,
  placeArguments,
  Program,
  regionArguments,
  until,
} from "@meridian/local-cluster";
import type { Random } from "@meridian/runtime";

import { freePort } from "../support/free-port.ts";
import { NatsServers } from "../support/nats-servers.ts";

/** What is killed. */
export type Victim =
  | "leader of the stream"
  | "follower of the stream"
  | "writing directory"
  | "serving directory"
  | "region"
  /** The other one is at a standstill until the stream has been trimmed before what it has read. */
  | "writing directory beside a slow one";

const STREAM = "meridian-meridian";

const SERVERS = 3;
const REGIONS = 2;

/** Small, so that snapshots are kept and the stream is trimmed between and during the kills. */
const SNAPSHOT_BYTES = 65_536;

/** How long all may take to be whole again. A server that comes back reads what it lacks first. */
const WHOLE_MS = 120_000;

/** How much of what earlier processes have printed is told. */
const REPORT_MAX = 4_000;

/** A directory at a port of its own, which is started again when it ends by itself, as a supervisor does. */
class DirectoryKeeper {
  readonly url: string;
  readonly #args: readonly string[];
  readonly #name: string;
  #program: Program | undefined;
  #isKept = false;
  #before = "";

  constructor(name: string, port: number, args: readonly string[]) {
    this.#name = name;
    this.#args = args;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Whether it has the log: it listens for nodes. */
  get isWriter(): boolean {
    return this.#says("listening on");
  }

  /** Whether it serves nodes while the other one has the log. */
  get isServing(): boolean {
    return !this.isWriter && this.#says("serves nodes beside");
  }

  async start(): Promise<void> {
    this.#isKept = true;
    const program = await Program.spawn({
      name: this.#name,
      program: "directory",
      args: this.#args,
    });
    this.#before += this.tail();
    this.#program = program;
    void program.exited.then(() => {
      if (this.#isKept && this.#program === program) return this.start();
      return undefined;
    });
  }

  async kill(): Promise<void> {
    this.#isKept = false;
    await this.#program?.kill();
  }

  /** Has its process stand still, or go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    const { pid, isRunning } = this.#program ?? {};
    if (isRunning === true && pid !== undefined) process.kill(pid, signal);
  }

  /** What its processes have printed last. */
  tail(): string {
    return `${this.#before.slice(-REPORT_MAX)}${this.#program?.tail() ?? ""}\n`;
  }

  #says(text: string): boolean {
    const { isRunning = false, lines = [] } = this.#program ?? {};
    return isRunning && lines.some((line) => line.includes(text));
  }
}

/** All processes. */
export class Fleet {
  readonly servers: NatsServers = new NatsServers({ servers: SERVERS });
  readonly folder: string = mkdtempSync(join(tmpdir(), "meridian-log-rounds-"));
  #directories: DirectoryKeeper[] = [];
  #regions: Program[] = [];
  #generation = "";

  /** The URLs of the regions. */
  get regions(): readonly string[] {
    return this.#regions.map(({ url }) => url);
  }

  async start(): Promise<void> {
    await this.servers.start();
    await this.#open("first");
    await this.whole();
  }

  /** Kills as `kill -9` does. Returns what starts it again. */
  async kill(victim: Victim, random: Random): Promise<() => Promise<void>> {
    if (victim === "leader of the stream" || victim === "follower of the stream") {
      const leader = await until("the stream has a leader", () => this.servers.leaderOf(STREAM));
      const index = (leader + (victim === "leader of the stream" ? 0 : 1)) % SERVERS;
      await this.servers.kill(index);
      return () => this.servers.startServer(index);
    }
    if (victim === "region") return this.#killRegion(Math.floor(random.next() * REGIONS));
    const isVictim = ({ isWriter, isServing }: DirectoryKeeper): boolean =>
      victim === "serving directory" ? isServing : isWriter;
    const directory = await until(`there is a ${victim}`, () => this.#directories.find(isVictim));
    const slow = this.#directories.filter((each) => each !== directory);
    const isSlow = victim === "writing directory beside a slow one";
    if (isSlow) await this.#outrun(slow);
    await directory.kill();
    if (isSlow) for (const each of slow) each.signal("SIGCONT");
    return () => directory.start();
  }

  async #killRegion(index: number): Promise<() => Promise<void>> {
    await this.#regions[index]?.kill();
    return async () => {
      this.#regions[index] = await this.#startRegion(index);
      await until("every region serves", () => allServe(this.regions), WHOLE_MS);
    };
  }

  /** Stops directories until the stream has lost what they have not read. */
  async #outrun(slow: readonly DirectoryKeeper[]): Promise<void> {
    for (const each of slow) each.signal("SIGSTOP");
    const last = (await this.streamState())?.last_seq ?? 0;
    const isOutrun = async (): Promise<boolean> =>
      ((await this.streamState())?.first_seq ?? 0) > last + 1;
    await until("the stream is trimmed", isOutrun, WHOLE_MS);
  }

  /** Resolves once the stream has all replicas, one directory writes and the other serves beside it. */
  async whole(): Promise<void> {
    await until("the stream has all replicas", () => this.servers.isWhole(STREAM), WHOLE_MS);
    const isWhole = (): boolean =>
      this.#directories.some(({ isWriter }) => isWriter) &&
      this.#directories.some(({ isServing }) => isServing);
    await until("a directory writes and another serves", isWhole, WHOLE_MS);
  }

  /** The one digest of all directories and regions, once they are equal. */
  async converged(): Promise<string> {
    return await until(
      "equal digests",
      async () => {
        const urls = [...this.regions, ...this.#directories.map(({ url }) => url)];
        const digests = await Promise.all(urls.map((url) => digestOf(url)));
        return new Set(digests).size === 1 ? digests[0] : undefined;
      },
      WHOLE_MS,
    );
  }

  /** The last lines of all programs. */
  report(): string {
    return [...this.#directories, ...this.#regions].map((program) => program.tail()).join("\n");
  }

  /** What the stream has. */
  streamState(): ReturnType<NatsServers["stateOf"]> {
    return this.servers.stateOf(STREAM);
  }

  /** Kills all directories and regions, and starts others on empty disks: they have only what the stream has. Resolves to their one digest. */
  async replaceAll(): Promise<string> {
    await this.#killAll();
    await this.#open("second");
    return await this.converged();
  }

  async dispose(): Promise<void> {
    await this.#killAll();
    await this.servers.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #killAll(): Promise<void> {
    const programs = [...this.#directories, ...this.#regions];
    await Promise.all(programs.map((program) => program.kill()));
  }

  async #open(generation: string): Promise<void> {
    this.#generation = generation;
    const log = [`--log=${this.servers.url}`, `--log-snapshot-bytes=${SNAPSHOT_BYTES}`];
    const ports = [await freePort(), await freePort()];
    this.#directories = ports.map((port, index) => {
      const name = `directory-${index + 1}`;
      return new DirectoryKeeper(name, port, [
        ...placeArguments("127.0.0.1", port, this.#folderOf(name)),
        ...log,
      ]);
    });
    await Promise.all(this.#directories.map((directory) => directory.start()));
    const regions = Array.from({ length: REGIONS }, (_, index) => this.#startRegion(index));
    this.#regions = await Promise.all(regions);
    await until("every region serves", () => allServe(this.regions), WHOLE_MS);
  }

  #startRegion(index: number): Promise<Program> {
    const place = FIVE_PLACES[index];
    if (place === undefined) throw new Error("Expected a place");
    const urls = this.#directories.map(({ url }) => url);
    const first = [
      ...placeArguments("127.0.0.1", 0, this.#folderOf(place.id)),
      ...regionArguments(place, index === 0 ? urls : urls.toReversed()),
    ];
    return Program.start({ name: place.id, program: "region", args: first });
  }

  #folderOf(name: string): string {
    return join(this.folder, this.#generation, name);
  }
}

async function allServe(urls: readonly string[]): Promise<boolean> {
  const answers = await Promise.all(urls.map((url) => fetch(`${url}/readyz`)));
  return answers.every(({ ok }) => ok);
}

async function digestOf(url: string): Promise<string> {
  const { count, fingerprint } = (await (await fetch(`${url}/digest`)).json()) as {
    readonly count: number;
    readonly fingerprint: string;
  };
  return `${count} ${fingerprint}`;
}
