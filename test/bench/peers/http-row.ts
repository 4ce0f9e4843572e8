/** Rows of requests over HTTP, which `wrk` sends: requests a second, and what one costs in processor time. */
import { cpuMs, untilQuiet } from "./accounts.ts";
import type { Contender, Figures } from "./rounds.ts";
import type { Workplace } from "./workplace.ts";
import { runWrk, type WrkLoad } from "./wrk.ts";

/** A server that answers over HTTP. */
export interface HttpServed extends Pick<WrkLoad, "url" | "headers" | "script"> {
  /** All processes that work on a request. */
  readonly pids: readonly number[];
  /** Rejects unless the server answers as it must. */
  check(): Promise<void>;
  stop(): Promise<void>;
}

/** How such a row is measured. */
export interface HttpLoad {
  readonly connections: number;
  readonly seconds: number;
}

const WARM_UP_SECONDS = 1;

/** A contender that `wrk` asks. */
export function httpContender(
  workplace: Workplace,
  name: string,
  serve: () => Promise<HttpServed>,
  { connections, seconds }: HttpLoad,
): Contender {
  return {
    name,
    start: async () => {
      const served = await serve();
      const { url, headers = [], script, pids } = served;
      const load = { url, headers, script, connections };
      await served.check();
      await runWrk(workplace, { ...load, seconds: WARM_UP_SECONDS });
      const measure = async (): Promise<Figures> => {
        await untilQuiet(pids);
        const beforeMs = cpuMs(pids);
        const { requests, requestsPerSecond } = await runWrk(workplace, { ...load, seconds });
        await untilQuiet(pids);
        const cpuMicros = (1_000 * (cpuMs(pids) - beforeMs)) / requests;
        return { requestsPerSecond, cpuMicros };
      };
      return { measure, stop: () => served.stop() };
    },
  };
}
