import type { Network, Outpost, Site } from "./line.ts";
import { LinkProxy } from "./link-proxy.ts";

/** The site of all programs: this machine, on any free port. */
const HERE: Site = { launcher: [], host: "127.0.0.1", port: 0, reach: (url) => url };

/** A network of TCP proxies. It needs no privileges, but can break only whole connections, and not single packets. */
export class ProxyNetwork implements Network {
  /** All lines of the network. */
  readonly lines: LinkProxy[] = [];
  #directories: readonly number[] = [];

  open(directories: number): Promise<readonly Outpost[]> {
    this.#directories = Array.from({ length: directories }, (_, index) => index);
    return Promise.all(
      this.#directories.map((own) => this.#outpost(this.#directories.filter((to) => to !== own))),
    );
  }

  add(): Promise<Outpost> {
    return this.#outpost(this.#directories);
  }

  async close(): Promise<void> {
    await Promise.all(this.lines.map((line) => line.close()));
  }

  async #outpost(directories: readonly number[]): Promise<Outpost> {
    const lines = await Promise.all(
      directories.map(async (to) => [to, await LinkProxy.listen()] as const),
    );
    this.lines.push(...lines.map(([, line]) => line));
    return { site: HERE, lines: new Map(lines) };
  }
}
