/** Real clusters: a directory and regions as processes, on ports and in folders of their own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Line, Network, Site } from "./line.ts";
import { Program } from "./program.ts";
import { ProxyNetwork } from "./proxy-network.ts";
import { getJson } from "./region-requests.ts";
import { until } from "./until.ts";

/** Where a region stands. */
export interface Place {
  readonly id: string;
  readonly lat: number;
  readonly lon: number;
}

/** Five regions on five continents. */
export const FIVE_PLACES: readonly Place[] = [
  { id: "montreal", lat: 45.5, lon: -73.57 },
  { id: "frankfurt", lat: 50.11, lon: 8.68 },
  { id: "singapore", lat: 1.35, lon: 103.82 },
  { id: "sao-paulo", lat: -23.55, lon: -46.63 },
  { id: "sydney", lat: -33.87, lon: 151.21 },
];

/** Everything a party holds, in short. */
export interface Digest {
  readonly count: number;
  readonly fingerprint: string;
}

/** A node as the directory lists it. */
export interface ListedNode extends Place {
  readonly url: string;
  readonly status: string;
  readonly distanceMeters?: number;
}

/** How a region is started. */
export interface RegionSettings extends Place {
  readonly cluster?: string;
  /** The name of its folder and in messages; without it, its id. */
  readonly name?: string;
}

/** One region: its folder, its way to the directory, and its process. */
export class Region {
  readonly place: Place;
  readonly name: string;
  /** The way to the directory. */
  readonly line: Line;
  readonly #site: Site;
  readonly #folder: string;
  readonly #cluster: string;
  /** Its processes, the one that was started last included. */
  readonly programs: Program[] = [];

  constructor(settings: RegionSettings, way: { site: Site; line: Line }, folder: string) {
    const { id, lat, lon, cluster = "meridian", name = id } = settings;
    this.place = { id, lat, lon };
    this.name = name;
    this.line = way.line;
    this.#site = way.site;
    this.#folder = join(folder, name);
    this.#cluster = cluster;
  }

  get id(): string {
    return this.place.id;
  }

  /** The process; throws if the region has never been started. */
  get program(): Program {
    const program = this.programs.at(-1);
    if (program === undefined) throw new Error(`${this.name} has not been started`);
    return program;
  }

  /** The file of its database. */
  get databasePath(): string {
    return join(this.#folder, "region.db");
  }

  /** Where it is reached since it was last started. */
  get url(): string {
    return this.#site.reach(this.program.url);
  }

  /** Starts the process on the region's folder. Resolves once it listens. */
  async start(): Promise<void> {
    const { id, lat, lon } = this.place;
    const args = [
      `--id=${id}`,
      `--lat=${lat}`,
      `--lon=${lon}`,
      `--host=${this.#site.host}`,
      `--port=${this.#site.port}`,
      `--data=${this.#folder}`,
      `--directory=${this.line.url}`,
      `--cluster=${this.#cluster}`,
    ];
    const main = "apps/region/src/main.ts";
    const { launcher } = this.#site;
    this.programs.push(await Program.start({ name: this.name, main, args, launcher }));
  }

  /** Resolves once the region says that it has this status. */
  async reaches(status: string): Promise<void> {
    await until(`${this.name} is ${status}`, () => this.program.status === status);
  }

  /** What its process printed last. */
  tail(): string {
    return this.programs.at(-1)?.tail() ?? "";
  }

  /** Kills the process if it runs. */
  async dispose(): Promise<void> {
    await Promise.all(this.programs.map((program) => program.kill()));
    await this.line.close();
  }
}

/** A directory and its regions. */
export class Cluster {
  readonly #network: Network;
  readonly #folder = mkdtempSync(join(tmpdir(), "meridian-e2e-"));
  readonly #directoryFolder: string;
  readonly #regions: Region[] = [];
  #programs: Program[] = [];

  /**
   * Without a network of their own, the regions reach the directory through proxies. `directoryDisk` is where the folder
   * of the directory is to be.
   */
  constructor(network: Network = new ProxyNetwork(), directoryDisk?: string) {
    this.#network = network;
    this.#directoryFolder = join(directoryDisk ?? this.#folder, "directory");
  }

  /** The regions that were started with the cluster or added since. */
  get regions(): readonly Region[] {
    return this.#regions;
  }

  /** The region of that name. */
  region(name: string): Region {
    const found = this.#regions.find((region) => region.name === name);
    if (found === undefined) throw new Error(`No region is named ${name}`);
    return found;
  }

  /** The directory's process as last started. */
  get directory(): Program {
    const program = this.#programs.at(-1);
    if (program === undefined) throw new Error("The directory has not been started");
    return program;
  }

  /** Where this process reaches the directory. */
  get directoryUrl(): string {
    return this.#network.directory.reach(this.directory.url);
  }

  /** Starts the directory on its folder. Every region finds it again, whatever its port. */
  async startDirectory(): Promise<void> {
    const { host, port, launcher } = this.#network.directory;
    const args = [`--host=${host}`, `--port=${port}`, `--data=${this.#directoryFolder}`];
    const main = "apps/directory/src/main.ts";
    this.#programs.push(await Program.start({ name: "directory", main, args, launcher }));
    for (const { line } of this.#regions) line.target = this.directoryUrl;
  }

  /** Kills the directory. */
  async killDirectory(): Promise<void> {
    for (const { line } of this.#regions) line.target = undefined;
    await this.directory.kill();
  }

  /** Deletes everything that the directory has stored. It must not run. */
  emptyDirectory(): void {
    rmSync(this.#directoryFolder, { recursive: true });
  }

  /** Starts a region. Resolves once it listens. */
  async add(settings: RegionSettings): Promise<Region> {
    const way = await this.#network.add();
    way.line.target = this.directoryUrl;
    const region = new Region(settings, way, this.#folder);
    this.#regions.push(region);
    await region.start();
    return region;
  }

  /** Starts a directory and regions. Resolves once all are ready. */
  async start(places: readonly Place[]): Promise<void> {
    await this.startDirectory();
    await Promise.all(places.map((place) => this.add(place)));
    await until("every region is ready", async () => (await this.near()).length === places.length);
  }

  /** The nodes that the directory offers, nearest to `place` first. */
  async near(place: Omit<Place, "id"> = { lat: 0, lon: 0 }): Promise<readonly ListedNode[]> {
    const { lat, lon } = place;
    const url = `${this.directoryUrl}/nearest?lat=${lat}&lon=${lon}&limit=100`;
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    const { nodes = [] } = (await response.json()) as { nodes?: readonly ListedNode[] };
    return nodes;
  }

  /** The ids of the nodes that the directory offers. */
  async offered(): Promise<readonly string[]> {
    return (await this.near()).map(({ id }) => id);
  }

  /** Resolves once the directory and every region hold the same `count` entries, to what that is in short. */
  async converged(count: number): Promise<Digest> {
    const urls = (): string[] => [this.directoryUrl, ...this.#regions.map(({ url }) => url)];
    let last: readonly Digest[] = [];
    try {
      return await until("equal digests", async () => {
        last = await Promise.all(urls().map((url) => getJson<Digest>(`${url}/digest`)));
        const [first] = last;
        const equal = last.every(
          (each) => each.count === count && each.fingerprint === first?.fingerprint,
        );
        return equal && first;
      });
    } catch (cause) {
      const told = last.map((digest) => `${digest.count} ${digest.fingerprint}`).join(", ");
      throw new Error(`Expected equal digests of ${count} entries, got ${told}`, { cause });
    }
  }

  /** Everything that the programs have printed, those included that were killed since. */
  lines(): readonly string[] {
    return [...this.#programs, ...this.#regions.flatMap(({ programs }) => programs)].flatMap(
      ({ name, lines }) => lines.map((line) => `[${name}] ${line}`),
    );
  }

  /** The memory that each process has in use, in bytes. */
  memory(): readonly (readonly [name: string, bytes: number])[] {
    return [this.directory, ...this.#regions.map(({ program }) => program)].map(
      ({ name, memoryBytes }) => [name, memoryBytes],
    );
  }

  /** What the programs printed last. */
  report(): string {
    return [...this.#programs, ...this.#regions].map((program) => program.tail()).join("\n");
  }

  /** Kills every process and removes every file. */
  async dispose(): Promise<void> {
    await Promise.all([
      ...this.#regions.map((region) => region.dispose()),
      ...this.#programs.map((program) => program.kill()),
    ]);
    await this.#network.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
