/** One region of Meridian without a directory as a contender. */
import {
  type NodePrograms,
  placeArguments,
  Program,
  regionArguments,
  until,
} from "@meridian/local-cluster";

import type { HttpServed } from "./http-row.ts";
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
