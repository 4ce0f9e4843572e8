/** The connections of the development cluster's regions to its directories, each through a proxy of this process, so that a region can be cut off. */
import { LinkProxy } from "@meridian/local-cluster";

/** The proxies of all regions. */
export class DevLines {
  readonly #lines: ReadonlyMap<string, readonly LinkProxy[]>;

  private constructor(lines: ReadonlyMap<string, readonly LinkProxy[]>) {
    this.#lines = lines;
  }

  /** Opens a proxy for each region to each directory. */
  static async open(regions: readonly string[], directories: readonly string[]): Promise<DevLines> {
    const lines = regions.map(async (region) => {
      const proxies = directories.map(async (url) => {
        const proxy = await LinkProxy.listen();
        proxy.target = url;
        return proxy;
      });
      return [region, await Promise.all(proxies)] as const;
    });
    return new DevLines(new Map(await Promise.all(lines)));
  }

  /** The lines of a region, to the directories in order of preference. */
  of(region: string): readonly LinkProxy[] {
    return this.#lines.get(region) ?? [];
  }

  async close(): Promise<void> {
    await Promise.all([...this.#lines.values()].flat().map((line) => line.close()));
  }
}
