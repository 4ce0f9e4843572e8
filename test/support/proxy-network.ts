import { LinkProxy } from "@meridian/cli";

import type { Line, Network, Site } from "./line.ts";

/** On this machine, on any free port. */
const HERE: Site = { launcher: [], host: "127.0.0.1", port: 0, reach: (url) => url };

/** A network of proxies: works everywhere, breaks connections rather than packets. */
export class ProxyNetwork implements Network {
  readonly directory: Site = HERE;
  readonly #lines: Line[] = [];

  async add(): Promise<{ readonly site: Site; readonly line: Line }> {
    const line = await LinkProxy.listen();
    this.#lines.push(line);
    return { site: HERE, line };
  }

  async close(): Promise<void> {
    await Promise.all(this.#lines.map((line) => line.close()));
  }
}
