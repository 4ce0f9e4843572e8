/** Compares everything that the parties of the cluster hold, as `meridian verify` does, by what the page's own directory hands on. */
import {
  verifyCluster,
  type AskParty,
  type PartyAddress,
  type VerifyReport,
} from "@meridian/doctor";
import { MeridianError } from "@meridian/protocol";

import { ApiProblem, messageOf } from "../../api/api-problem.ts";
import type { DirectoryAnswer } from "../../api/answers.ts";
import { pauseFor, Slots } from "./slots.ts";

/** A directory hands on eight requests of one client at once; some are left for what else the page asks. */
const AT_ONCE = 4;

/** How often a request is sent again that there was too much to do for, and the pause before that, in milliseconds. */
const RETRIES = 5;
const BUSY_MS = 500;

/** How many differing keys are named, and how long parties that are behind are waited for, in milliseconds. */
const KEYS_MAX = 50;
const PATIENCE_MS = 10_000;

/** Asks the page's own origin. */
export interface JsonApi {
  json<Answer>(
    method: string,
    path: string,
    options: { readonly signal: AbortSignal },
  ): Promise<Answer>;
}

/** Who is compared, by the paths at which they are asked. */
export interface Compared {
  readonly directories: readonly PartyAddress[];
  readonly nodes: readonly PartyAddress[];
  /** About how many entries each of them holds. */
  readonly entries: number;
}

/** Those whom the page's directory knows. */
export function comparedOf(
  { id, peers, store }: DirectoryAnswer<"/status">,
  { nodes }: DirectoryAnswer<"/nodes">,
): Compared {
  return {
    directories: [
      { name: id ?? "directory", url: "" },
      ...peers.map(({ name }) => ({ name, url: `/peers/${encodeURIComponent(name)}/view` })),
    ],
    nodes: nodes.map(({ id: name, goneSinceMs }) => ({
      name,
      url: `/nodes/${encodeURIComponent(name)}/view`,
      ...(goneSinceMs !== null && { gone: { sinceMs: goneSinceMs } }),
    })),
    entries: store.entries ?? 0,
  };
}

/** Compares them. Rejects with the signal's reason, or with what the directory says if it cannot be asked. */
export function runVerify(
  api: JsonApi,
  { directories, nodes }: Compared,
  signal: AbortSignal,
  onProgress: (entries: number) => void,
): Promise<VerifyReport> {
  const slots = new Slots(AT_ONCE);
  const ask: AskParty = (url, target) => slots.run(() => askOnce(api, url + target, signal));
  return verifyCluster({
    directories,
    nodes,
    keysMax: KEYS_MAX,
    patienceMs: PATIENCE_MS,
    ask,
    elapsedMs: () => performance.now(),
    pause: (ms) => pauseFor(ms, signal),
    onProgress,
    signal,
  });
}

async function askOnce<Answer>(api: JsonApi, path: string, signal: AbortSignal): Promise<Answer> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await api.json<Answer>("GET", path, { signal });
    } catch (cause) {
      signal.throwIfAborted();
      const isBusy = cause instanceof ApiProblem && cause.code === "OVERLOADED";
      if (!isBusy || attempt === RETRIES)
        throw new MeridianError("NO_READY_NODE", messageOf(cause));
    }
    await pauseFor(BUSY_MS, signal);
  }
}
