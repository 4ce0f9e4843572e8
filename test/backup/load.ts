/** Gets and sets of a region at a constant rate, and what they take. */
import { quantile } from "../soak/trend.ts";
import { HttpConnection } from "../bench/http-connection.ts";
import { keyOf } from "../support/filled-stores.ts";

const EVERY_MS = 20;

/** A load that runs from the moment it is made. */
export class GetsAndSets {
  readonly #connection: HttpConnection;
  readonly #keys: number;
  readonly #running: Promise<void>;
  #tookMs: Record<"get" | "set", number[]> = { get: [], set: [] };
  #isOver = false;

  private constructor(connection: HttpConnection, keys: number) {
    this.#connection = connection;
    this.#keys = keys;
    this.#running = this.#run();
  }

  static async start(url: string, keys: number): Promise<GetsAndSets> {
    return new GetsAndSets(await HttpConnection.open(url), keys);
  }

  /** The p99 of gets and sets since it was last asked for, in milliseconds. */
  p99(): string {
    const { get, set } = this.#tookMs;
    this.#tookMs = { get: [], set: [] };
    const told = [get, set].map((all) => `${quantile(all, 0.99).toFixed(1)} ms`);
    return `p99 of ${get.length} gets ${told[0]}, of ${set.length} sets ${told[1]}`;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
    this.#connection.close();
  }

  async #run(): Promise<void> {
    for (let turn = 0; !this.#isOver; turn += 1) {
      const path = `/cache/${keyOf((turn * 7_919) % this.#keys)}`;
      const what = turn % 2 === 0 ? "get" : "set";
      const startedMs = performance.now();
      const { status } =
        what === "get"
          ? await this.#connection.send("GET", path, "")
          : await this.#connection.send("PUT", path, `set in turn ${turn}`);
      if (status !== 200 && status !== 201) throw new Error(`${what} ${path}: ${status}`);
      const tookMs = performance.now() - startedMs;
      this.#tookMs[what].push(tookMs);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, EVERY_MS - tookMs)));
    }
  }
}
