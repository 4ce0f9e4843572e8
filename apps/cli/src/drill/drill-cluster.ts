/** A cluster of a drill's own: a directory and regions as processes, each region behind a link that can be cut. */
import { PLACES } from "../dev/places.ts";
import type { DevPrograms } from "../dev/programs.ts";
import { LinkProxy } from "./link-proxy.ts";
import { Machine, RegionMachine, type MachineOptions } from "./machine.ts";

/** What a cluster is made of. */
export interface DrillClusterOptions extends Pick<MachineOptions, "folder" | "env" | "onLost"> {
  readonly programs: DevPrograms;
  /** How many regions: 1 to as many places as are known. */
  readonly regions: number;
}

/** The machines. */
export class DrillCluster {
  readonly directory: Machine;
  readonly regions: readonly RegionMachine[];

  private constructor(directory: Machine, regions: readonly RegionMachine[]) {
    this.directory = directory;
    this.regions = regions;
  }

  /** Makes the machines, none of which runs yet. */
  static async make(options: DrillClusterOptions): Promise<DrillCluster> {
    const { programs, folder, onLost } = options;
    // The programs refuse variables that they do not know, and the command has some of its own.
    const env = Object.fromEntries(
      Object.entries(options.env).filter(([variable]) => !variable.startsWith("MERIDIAN_")),
    );
    const common = { folder, env, onLost };
    const regions: RegionMachine[] = [];
    for (const { id, lat, lon } of PLACES.slice(0, options.regions)) {
      const link = await LinkProxy.listen();
      const args = [`--id=${id}`, `--lat=${lat}`, `--lon=${lon}`, `--directory=${link.url}`];
      const machine = { ...common, name: id, program: programs.region, args };
      regions.push(new RegionMachine(machine, link));
    }
    const directory = new Machine({
      ...common,
      name: "directory",
      program: programs.directory,
      args: [],
      onStarted: (url) => {
        for (const { link } of regions) link.target = url;
      },
    });
    return new DrillCluster(directory, regions);
  }

  /** Starts everything; resolves once all listen. */
  async start(): Promise<void> {
    await this.directory.start();
    await Promise.all(this.regions.map((region) => region.start()));
  }

  /** Ends everything, whatever state it is in. */
  async dispose(): Promise<void> {
    const machines = [this.directory, ...this.regions];
    await Promise.all(machines.map((machine) => machine.process.kill()));
    await Promise.all(this.regions.map(({ link }) => link.close()));
  }

  /** Ends every process at once, from where nothing can be waited for. */
  killNow(): void {
    for (const machine of [this.directory, ...this.regions]) machine.process.killNow();
  }
}
