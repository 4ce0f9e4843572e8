/** The interface of drills, and the functions by which they wait. */
import { until, type Cluster, type Load, type Region } from "@meridian/local-cluster";
import { regionStatus, type Described } from "@meridian/protocol/http-api";
import * as v from "valibot";

import { getJson } from "../directory-api.ts";

/** The cluster and the functions that a drill uses. */
export interface Stage {
  readonly cluster: Cluster;
  readonly load: Load;
  /** The region in which the drill causes the fault. */
  readonly victim: Region;
  /** Lets the load continue for a share of the time during which the fault may last. */
  readonly hold: (share: number) => Promise<void>;
  /** Notes what has been measured. */
  readonly note: (line: string) => void;
  /** Notes a broken guarantee. */
  readonly complain: (line: string) => void;
}

/** A drill. */
export interface Drill {
  readonly name: string;
  /** What happens, as a sentence without its beginning: the region it happens to is `victim`. */
  readonly story: (victim: string) => string;
  /** How many directories its cluster has; one unless it is said. */
  readonly directories?: number;
  /** How long its cluster remembers deletes, in milliseconds; as usual unless it is said. */
  readonly horizonMs?: number;
  /** Does it. Everything runs, and can reach everything, when it is over. */
  readonly run: (stage: Stage) => Promise<void>;
}

/** How long a drill waits for a state of the cluster that has to come about, in milliseconds. */
const PATIENCE_MS = 30_000;

/** Waits until `isSo` resolves to true. Resolves to false after `PATIENCE_MS`; the drill's checks then show what is wrong. */
export function comesAbout(isSo: () => Promise<boolean>): Promise<boolean> {
  return until("a state of the cluster", isSo, PATIENCE_MS).catch(() => false);
}

/** What a region says of its replica. */
export async function replicaOf({
  url,
}: Region): Promise<Described<typeof regionStatus>["replica"]> {
  return (await getJson(`${url}/status`, standing, "NO_READY_NODE")).replica;
}

const standing = v.pick(regionStatus, ["replica"]);

/** Whether a directory has everything that a region has written. */
export async function handsOver(region: Region): Promise<boolean> {
  const { outboxPending, connected } = await replicaOf(region);
  return connected && outboxPending === 0;
}

/** Stops requests to the victim, and resolves once a directory has everything that the victim has written. */
export async function handOver({ load, victim }: Stage): Promise<void> {
  await load.avoid(victim.name);
  await comesAbout(() => handsOver(victim));
}
