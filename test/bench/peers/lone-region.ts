/** One region of Meridian without a directory as a contender. */
import {
  type NodePrograms,
  placeArguments,
  Program,
  regionArguments,
  until,
} from "@meridian/local-cluster";

import { HttpConnection } from "../http-connection.ts";
import type { HttpServed } from "./http-row.ts";
import type { Killable } from "./kill-row.ts";
import type { Workplace } from "./workplace.ts";

const KEY = "/cache/bench-key-000";
const VALUE = "v".repeat(100);

/** Starts a region. It listens then, and serves soon after. */
function startRegion(
  data: string,
  programs: NodePrograms,
  more: readonly string[],
): Promise<Program> {
  const place = { id: "bench", lat: 1, lon: 2 };
  const scheme = more.some((arg) => arg.startsWith("--tls-cert")) ? "https" : "http";
  const own = [...placeArguments("127.0.0.1", 0, data), "--standalone", "--log-level=error"];
  // Nobody listens at that port.
  const args = [...own, ...regionArguments(place, [`${scheme}://127.0.0.1:9`]), ...more];
  return Program.start({ name: "region", program: "region", args, programs });
}

/** How a region is asked over HTTP. */
export interface LoneRegion {
  readonly programs: NodePrograms;
  /** Options of the region. */
  readonly args?: readonly string[];
  readonly headers?: readonly string[];
  /** A script of `wrk` that makes the requests; without one, a value is asked for. */
  readonly script?: string;
  /** A `fetch` that accepts the region's certificate. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/** A region that holds one value of 100 bytes, and is asked for it or written to. */
export async function serveRegion(workplace: Workplace, given: LoneRegion): Promise<HttpServed> {
  const { programs, args = [], headers = [], script, fetch: ask = fetch } = given;
  const program = await startRegion(workplace.folder("region"), programs, args);
  const url = `${program.url}${KEY}`;
  const named = headers.map((header) => header.split(": ") as [string, string]);
  const check = async (): Promise<void> => {
    await until("the region serves", async () => {
      const put = await ask(url, { method: "PUT", headers: named, body: VALUE });
      const said = await put.text();
      if (put.status !== 200) throw new Error(`Expected 200, got ${put.status} ${said}`);
      return true;
    });
    const got = await (await ask(url, { headers: named })).text();
    if (got !== VALUE) throw new Error(`Expected the value of ${url}, got \`${got}\``);
  };
  const pids = [program.pid ?? NaN];
  const stop = async (): Promise<void> => void (await program.stop());
  return { url, headers, script, pids, check, stop };
}

/** A region that is killed. */
export class KillableRegion implements Killable {
  readonly #data: string;
  readonly #programs: NodePrograms;
  readonly #args: readonly string[];
  readonly #idle: HttpConnection[] = [];
  #program: Program | undefined;

  private constructor(data: string, programs: NodePrograms, args: readonly string[]) {
    this.#data = data;
    this.#programs = programs;
    this.#args = args;
  }

  /** Starts the region. Resolves once it serves. */
  static async start(
    workplace: Workplace,
    programs: NodePrograms,
    durability: string,
  ): Promise<KillableRegion> {
    const args = [`--durability=${durability}`];
    const region = new KillableRegion(workplace.folder("region"), programs, args);
    await region.restart();
    return region;
  }

  async set(key: string, value: string): Promise<void> {
    const connection = await this.#connection();
    const status = await connection.put(`/cache/${key}`, value);
    if (status !== 200) throw new Error(`Expected 200, got ${status}`);
    this.#idle.push(connection);
  }

  async kill(): Promise<void> {
    await this.#program?.kill();
  }

  async restart(): Promise<void> {
    for (const connection of this.#idle.splice(0)) connection.close();
    this.#program = await startRegion(this.#data, this.#programs, this.#args);
    const { url } = this.#program;
    await until("the region serves", async () => (await fetch(`${url}/cache/none`)).status === 404);
  }

  async read(key: string): Promise<string | undefined> {
    const connection = await this.#connection();
    const { status, body } = await connection.get(`/cache/${key}`);
    this.#idle.push(connection);
    return status === 200 ? body : undefined;
  }

  async stop(): Promise<void> {
    for (const connection of this.#idle) connection.close();
    await this.#program?.stop();
  }

  async #connection(): Promise<HttpConnection> {
    const idle = this.#idle.pop();
    return idle?.isOpen === true ? idle : HttpConnection.open(this.#program?.url ?? "");
  }
}
