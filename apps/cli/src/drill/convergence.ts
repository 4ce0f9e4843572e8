/** The end of a drill: checks that all regions and directories come to hold the same data, and that the data keep the guarantees. */
import { verifyCluster, type PartyAddress, type VerifyReport } from "@meridian/doctor";
import { gotOf, RegionRequests, type Destination, type Ledger } from "@meridian/local-cluster";

import { DirectoryApi, type KnownNode } from "../directory-api.ts";
import { pause } from "../pause.ts";
import { COMPARING } from "../verify/ask-party.ts";

/** The result of waiting for equal data. */
export interface Convergence {
  /** How long it took, in milliseconds; null if they did not within the patience. */
  readonly ms: number | null;
  /** How many entries each party holds. */
  readonly entries: number;
  /** Why the parties did not converge; null if they did. */
  readonly failure: string | null;
}

const POLL_MS = 50;
const KEYS_NAMED = 5;
/** How many keys are read at a time. */
const READERS = 16;
const READ_ATTEMPTS = 20;

/** Waits until every one of `names` is ready, and all directories and nodes hold the same. Rejects once it is `stopped`. */
export async function converge(
  directories: readonly Destination[],
  names: readonly string[],
  patienceMs: number,
  stopped: AbortSignal,
): Promise<Convergence> {
  const startedMs = performance.now();
  let failure = "";
  while (performance.now() < startedMs + patienceMs) {
    try {
      const report = await compare(directories, names);
      if (typeof report === "string") failure = report;
      else if (report.equal) {
        const ms = Math.round(performance.now() - startedMs);
        return { ms, entries: report.parties[0]?.entries ?? 0, failure: null };
      } else failure = describe(report);
    } catch (cause) {
      failure = cause instanceof Error ? cause.message : String(cause);
    }
    await pause(POLL_MS, stopped);
  }
  return { ms: null, entries: 0, failure };
}

async function compare(
  directories: readonly Destination[],
  names: readonly string[],
): Promise<VerifyReport | string> {
  const addresses: PartyAddress[] = [];
  let nodes: readonly KnownNode[] = [];
  for (const { name, url, isUp } of directories) {
    if (!isUp) return `${name} does not run`;
    addresses.push({ name, url });
    // Each is to know all nodes, wherever they have their links.
    nodes = await new DirectoryApi(url).nodes();
    const isReady = (id: string): boolean =>
      nodes.some((node) => node.id === id && node.status === "ready");
    const missing = names.filter((id) => !isReady(id));
    if (missing.length > 0) return `${missing.join(", ")} not ready, as ${name} says`;
  }
  return verifyCluster({
    directories: addresses,
    nodes: nodes.map(({ id, url }) => ({ name: id, url })),
    keysMax: KEYS_NAMED,
    patienceMs: 2_000,
    ...COMPARING,
  });
}

function describe({ differing, keys, parties }: VerifyReport): string {
  const lost = parties.filter(({ failure }) => failure !== null).map(({ name }) => name);
  if (differing === 0) return `${lost.join(", ")} could not be asked`;
  const named = keys.map(({ key, stamps }) => `${key} ${JSON.stringify(stamps)}`).join("; ");
  return `${differing} keys differ: ${named}`;
}

/** Reads every key at every region. Returns the broken guarantees, one sentence each. */
export async function auditKeys(
  ledger: Ledger,
  destinations: readonly Destination[],
): Promise<readonly string[]> {
  const broken: string[] = [];
  for (const destination of destinations) {
    const keys = [...ledger.keys];
    const readers = Array.from({ length: READERS }, async () => {
      for (let key = keys.pop(); key !== undefined; key = keys.pop()) {
        const said = await auditKey(ledger, destination, key);
        if (said !== undefined) broken.push(`in the end, at ${destination.name}: ${said}`);
      }
    });
    await Promise.all(readers);
  }
  return broken;
}

async function auditKey(
  ledger: Ledger,
  { url, isUp }: Destination,
  key: string,
): Promise<string | undefined> {
  let why = "the region does not run";
  for (let attempt = 0; attempt < READ_ATTEMPTS; attempt += 1) {
    if (!isUp) break;
    const requests = new RegionRequests();
    const reply = await requests.get(url, key);
    requests.close();
    if (reply.kind === "done") {
      return ledger.broken(key, gotOf(reply), ledger.floor(key), Date.now());
    }
    why = reply.kind === "refused" ? reply.code : reply.why;
    await pause(POLL_MS);
  }
  return `${key} cannot be read: ${why}`;
}
