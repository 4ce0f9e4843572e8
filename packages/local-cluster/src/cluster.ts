/** Starts real clusters: directories and regions as processes, each with a port and a folder of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Line, Network, Outpost } from "./line.ts";
import type { Place } from "./places.ts";
import type { Program } from "./program.ts";
import { ProxyNetwork } from "./proxy-network.ts";
import { DirectoryStation, Region, type RegionSettings, type StationParts } from "./station.ts";
import { until } from "./until.ts";

/** The digest of everything that a directory or a region holds. */
export interface PartyDigest {
  readonly count: number;
  readonly fingerprint: string;
}

/** A node as the directory lists it. */
export interface ListedNode extends Place {
  readonly url: string;
  readonly status: string;
  readonly distanceMeters?: number;
}

/** How a cluster is made. */
export interface ClusterParts extends Omit<StationParts, "folder"> {
  /** The folder for the cluster's data. Default: a temporary folder, which `dispose` deletes. */
  readonly folder?: string;
  /** The network between the programs. Default: TCP proxies on this machine. */
  readonly network?: Network;
  /** How many directories there are. Default: 1. */
  readonly directories?: number;
  /** The parent of the directories' data folders. Default: `folder`. */
  readonly directoryDisk?: string | undefined;
  /** Further options of the directories' program. */
  readonly directoryArgs?: readonly string[];
}

/** Directories and their regions. */
export class Cluster {
  readonly #network: Network;
  readonly #parts: StationParts;
  readonly #ownFolder: string | undefined;
  readonly #count: number;
  readonly #directoryDisk: string;
  readonly #directoryArgs: readonly string[];
  #directories: readonly DirectoryStation[] | undefined;
  readonly #regions: Region[] = [];
  /** The lines of nodes that are not processes of this cluster. */
  readonly #guests: Pick<Outpost, "lines">[] = [];

  constructor(parts: ClusterParts = {}) {
    const { network = new ProxyNetwork(), directories = 1, directoryArgs = [] } = parts;
    this.#ownFolder =
      parts.folder === undefined ? mkdtempSync(join(tmpdir(), "meridian-cluster-")) : undefined;
    const folder = parts.folder ?? this.#ownFolder ?? "";
    const { programs, onLost, secure } = parts;
    this.#parts = { folder, programs, onLost, secure };
    this.#network = network;
    this.#count = directories;
    this.#directoryDisk = parts.directoryDisk ?? folder;
    this.#directoryArgs = directoryArgs;
  }

  /** The folder of the cluster's data. */
  get folder(): string {
    return this.#parts.folder;
  }

  /** The directories that have been started, in order of preference. */
  get directories(): readonly DirectoryStation[] {
    return this.#directories ?? [];
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

  /** The first directory's process as last started. */
  get directory(): Program {
    return this.#directory(0).program;
  }

  /** The URL at which this process reaches the first directory. */
  get directoryUrl(): string {
    return this.#directory(0).url;
  }

  /** Starts a directory on its folder, with its clock ahead by `skewMs`. All lines to it lead to its new port. */
  async startDirectory(index = 0, skewMs = 0): Promise<void> {
    this.#directories ??= await this.#open();
    await this.#directory(index).start(skewMs);
    this.#aim(index, this.#directory(index).url);
  }

  /** Kills a directory. */
  async killDirectory(index = 0): Promise<void> {
    this.#aim(index, undefined);
    await this.#directory(index).kill();
  }

  /** Asks a directory to stop, and resolves once it has. */
  async stopDirectory(index = 0): Promise<void> {
    this.#aim(index, undefined);
    await this.#directory(index).stop();
  }

  /** Deletes everything that a directory has stored. It must not run. */
  emptyDirectory(index = 0): void {
    this.#directory(index).empty();
  }

  /** Starts a region. Resolves once it listens. */
  async add(settings: RegionSettings): Promise<Region> {
    const outpost = await this.#network.add();
    const region = new Region(settings, outpost, this.#parts);
    this.#regions.push(region);
    for (const [index, directory] of this.directories.entries()) this.#aim(index, directory.url);
    await region.start();
    return region;
  }

  /** Starts the directories and regions. Resolves once all are ready. */
  async start(places: readonly Place[]): Promise<void> {
    await this.startDirectories();
    await Promise.all(places.map((place) => this.add(place)));
    await until("every region is ready", async () => (await this.near()).length === places.length);
  }

  /** Starts the directories alone. Resolves once all listen. */
  async startDirectories(): Promise<void> {
    this.#directories = await this.#open();
    await Promise.all(this.directories.map((_, index) => this.startDirectory(index)));
  }

  /** Makes a line to each directory, in order of preference, for a node that runs in this process. */
  async ways(): Promise<readonly Line[]> {
    const { lines } = await this.#network.add();
    this.#guests.push({ lines });
    for (const [index, directory] of this.directories.entries()) this.#aim(index, directory.url);
    return [...lines.values()];
  }

  /** The nodes that the directory offers, nearest to `place` first. */
  async near(place: Omit<Place, "id"> = { lat: 0, lon: 0 }): Promise<readonly ListedNode[]> {
    const { lat, lon } = place;
    const url = `${this.directoryUrl}/nearest?lat=${lat}&lon=${lon}&limit=100`;
    const response = await this.#fetch(url, { signal: AbortSignal.timeout(5_000) });
    const { nodes = [] } = (await response.json()) as { nodes?: readonly ListedNode[] };
    return nodes;
  }

  /** The ids of the nodes that the directory offers. */
  async offered(): Promise<readonly string[]> {
    return (await this.near()).map(({ id }) => id);
  }

  /** The digest of each directory and each region. */
  digests(): Promise<readonly PartyDigest[]> {
    return Promise.all(
      this.urls.map(async (url) => {
        const response = await this.#fetch(`${url}/digest`, {
          signal: AbortSignal.timeout(15_000),
        });
        if (!response.ok) throw new Error(`Expected a digest of ${url}, got ${response.status}`);
        return (await response.json()) as PartyDigest;
      }),
    );
  }

  /**
   * Resolves to the common digest once every directory and every region hold the same entries, and `count` of them if it
   * is given. Rejects after `deadlineMs` milliseconds, 20 000 by default.
   */
  async converged(count?: number, deadlineMs?: number): Promise<PartyDigest> {
    let last: readonly PartyDigest[] = [];
    const probe = async (): Promise<PartyDigest | undefined> => {
      last = await this.digests();
      const [first] = last;
      const wanted = count ?? first?.count;
      const equal = last.every(
        (each) => each.count === wanted && each.fingerprint === first?.fingerprint,
      );
      return equal ? first : undefined;
    };
    try {
      return await until("equal digests", probe, deadlineMs);
    } catch (cause) {
      const told = last.map((digest) => `${digest.count} ${digest.fingerprint}`).join(", ");
      const wanted = count === undefined ? "entries" : `${count} entries`;
      throw new Error(`Expected equal digests of ${wanted}, got ${told}`, { cause });
    }
  }

  /** The URLs of all directories and regions. */
  get urls(): readonly string[] {
    return this.#stations.map(({ url }) => url);
  }

  /** All lines that the programs have printed, those of killed programs too. */
  lines(): readonly string[] {
    return this.#stations
      .flatMap(({ programs }) => programs)
      .flatMap(({ name, lines }) => lines.map((line) => `[${name}] ${line}`));
  }

  /** The memory that each process has in use, in bytes. */
  memory(): readonly (readonly [name: string, bytes: number])[] {
    return this.#stations.map(({ name, program }) => [name, program.memoryBytes]);
  }

  /** The last lines that the programs have printed. */
  report(): string {
    return this.#stations.map((station) => station.tail()).join("\n");
  }

  /** Kills every process and deletes all files, except those in a given `folder`. */
  async dispose(): Promise<void> {
    await Promise.all(this.#stations.map((station) => station.dispose()));
    await this.#network.close();
    if (this.#ownFolder !== undefined) rmSync(this.#ownFolder, { recursive: true, force: true });
  }

  /** Kills every process at once, for callers that cannot wait, such as an exit handler. */
  killNow(): void {
    for (const station of this.#stations) station.killNow();
  }

  get #stations(): readonly (DirectoryStation | Region)[] {
    return [...this.directories, ...this.#regions];
  }

  #directory(index: number): DirectoryStation {
    const found = this.directories[index];
    if (found === undefined) throw new Error(`Directory ${index} has not been started`);
    return found;
  }

  async #open(): Promise<readonly DirectoryStation[]> {
    const outposts = await this.#network.open(this.#count);
    return outposts.map((outpost, index) => {
      const name = this.#count === 1 ? "directory" : `directory-${index + 1}`;
      const parts = { ...this.#parts, folder: this.#directoryDisk };
      return new DirectoryStation(name, outpost, parts, this.#directoryArgs);
    });
  }

  #fetch(url: string, init: RequestInit): Promise<Response> {
    return (this.#parts.secure?.fetch ?? fetch)(url, init);
  }

  /** Makes all lines to a directory lead to a URL, or to nothing. */
  #aim(index: number, url: string | undefined): void {
    for (const { lines } of [...this.#stations, ...this.#guests]) {
      const line = lines.get(index);
      if (line !== undefined) line.target = url;
    }
  }
}
