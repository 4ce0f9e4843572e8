/**
 * A cluster of a drill's own: directories and regions as processes. Every way to a directory, from a region or from
 * another directory, is a link that can be cut.
 */
import { PLACES } from "../dev/places.ts";
import type { DevPrograms } from "../dev/programs.ts";
import { LinkProxy } from "./link-proxy.ts";
import { Machine, type MachineOptions } from "./machine.ts";

/** What a cluster is made of. */
export interface DrillClusterOptions extends Pick<MachineOptions, "folder" | "env" | "onLost"> {
  readonly programs: DevPrograms;
  readonly directories: number;
  /** How long deletes are remembered, in milliseconds; undefined for as long as usual. */
  readonly horizonMs: number | undefined;
  /** How many regions: 1 to as many places as are known. */
  readonly regions: number;
}

/** The machines. */
export class DrillCluster {
  /** The first of the directories. */
  readonly directory: Machine;
  /** In order of preference. */
  readonly directories: readonly Machine[];
  readonly regions: readonly Machine[];

  private constructor(directories: readonly Machine[], regions: readonly Machine[]) {
    const [first] = directories;
    if (first === undefined) throw new Error("Expected at least one directory, got none");
    this.directory = first;
    this.directories = directories;
    this.regions = regions;
  }

  /** Makes the machines, none of which runs yet. */
  static async make(options: DrillClusterOptions): Promise<DrillCluster> {
    const { programs, folder, env, onLost, horizonMs } = options;
    const common = { folder, env, onLost };
    /** The links that lead to each directory. */
    const leading: LinkProxy[][] = Array.from({ length: options.directories }, () => []);
    const linksTo = (directories: readonly LinkProxy[][]): Promise<LinkProxy[]> =>
      Promise.all(
        directories.map(async (links) => {
          const link = await LinkProxy.listen();
          links.push(link);
          return link;
        }),
      );
    const directories: Machine[] = [];
    for (const [index, own] of leading.entries()) {
      const links = await linksTo(leading.filter((others) => others !== own));
      const args = [
        ...(links.length === 0 ? [] : [`--peer=${urlsOf(links)}`]),
        ...(horizonMs === undefined ? [] : [`--horizon=${horizonMs}ms`]),
      ];
      const name = leading.length === 1 ? "directory" : `directory-${index + 1}`;
      const onStarted = (url: string): void => {
        for (const link of own) link.target = url;
      };
      const program = programs.directory;
      directories.push(new Machine({ ...common, name, program, args, links, onStarted }));
    }
    const regions: Machine[] = [];
    for (const { id, lat, lon } of PLACES.slice(0, options.regions)) {
      const links = await linksTo(leading);
      const args = [`--id=${id}`, `--lat=${lat}`, `--lon=${lon}`, `--directory=${urlsOf(links)}`];
      regions.push(new Machine({ ...common, name: id, program: programs.region, args, links }));
    }
    return new DrillCluster(directories, regions);
  }

  /** Starts everything; resolves once all listen. */
  async start(): Promise<void> {
    await Promise.all(this.directories.map((directory) => directory.start()));
    await Promise.all(this.regions.map((region) => region.start()));
  }

  /** Ends everything, whatever state it is in. */
  async dispose(): Promise<void> {
    await Promise.all(this.#machines.map((machine) => machine.kill()));
    await Promise.all(this.#machines.flatMap(({ links }) => links.map((link) => link.close())));
  }

  /** Ends every process at once, from where nothing can be waited for. */
  killNow(): void {
    for (const machine of this.#machines) machine.killNow();
  }

  get #machines(): readonly Machine[] {
    return [...this.directories, ...this.regions];
  }
}

function urlsOf(links: readonly LinkProxy[]): string {
  return links.map(({ url }) => url).join(",");
}
