/** Runs `wrk`, a load generator in C that costs a fraction of what one in Node.js would. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

import type { Workplace } from "./workplace.ts";

/** What `wrk` has counted. */
export interface WrkResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
}

/** Reads what `wrk` prints. Throws if a request has failed. */
export function parseWrk(printed: string): WrkResult {
  const bad = /^\s*(Non-2xx or 3xx responses: .*|Socket errors: .*)$/m.exec(printed)?.[1];
  if (bad !== undefined) throw new Error(`Expected that all requests succeed, got: ${bad}`);
  const requests = Number(/^\s*(\d+) requests in /m.exec(printed)?.[1]);
  const requestsPerSecond = Number(/^Requests\/sec:\s+([\d.]+)/m.exec(printed)?.[1]);
  if (requests > 0 && requestsPerSecond > 0) return { requests, requestsPerSecond };
  throw new Error(`Expected the report of wrk, got \`${printed}\``);
}

/** A load for `wrk`. */
export interface WrkLoad {
  readonly url: string;
  /** Headers, each as `Name: value`. */
  readonly headers?: readonly string[];
  /** The path of a script in Lua that makes the requests. */
  readonly script?: string | undefined;
  readonly connections: number;
  /** A whole number: `wrk` knows no other. */
  readonly seconds: number;
}

/** Runs a load from one thread, and resolves to what was counted. */
export async function runWrk(workplace: Workplace, load: WrkLoad): Promise<WrkResult> {
  const { url, headers = [], script, connections, seconds } = load;
  const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "10s"];
  for (const header of headers) args.push("-H", header);
  if (script !== undefined) args.push("-s", script);
  const running = promisify(execFile)("wrk", [...args, url], { timeout: 1_000 * seconds + 30_000 });
  workplace.own(running.child);
  const { stdout } = await running;
  return parseWrk(stdout);
}
