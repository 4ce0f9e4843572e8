/** The drill of a region that comes back with entries of which nobody remembers any more that they were deleted. */
import { RegionRequests, type Region } from "@meridian/local-cluster";
import { stampTimeOf } from "@meridian/protocol";
import { directoryStatus, quarantinePage, type Described } from "@meridian/protocol/http-api";

import { getJson } from "../directory-api.ts";
import { handOver, handsOver, comesAbout, type Drill } from "./drill.ts";

const KEYS: readonly string[] = Array.from({ length: 40 }, (_, index) => `horizon/${index}`);
const DELETED: readonly string[] = KEYS.slice(0, KEYS.length / 2);
/** The tolerance between two readings of the same clock, in milliseconds. */
const MARGIN_MS = 100;

/** The ledger has every key at the end; what is looked at here is what became of the copies. */
export const HORIZON_DRILL: Drill = {
  name: "horizon",
  horizonMs: 2_000,
  directories: 2,
  story: (victim) =>
    `${victim} is away for longer than deletes are remembered, and comes back with what was deleted`,
  run: async (stage) => {
    const { cluster, load, victim, note, complain } = stage;
    const other = cluster.regions.find((region) => region !== victim) ?? victim;
    const requests = new RegionRequests();
    for (const key of KEYS) await load.set(requests, other.url, key, 0);
    // One session: what it reads at the victim is what it has written.
    for (const key of KEYS) await requests.get(victim.url, key);
    await handOver(stage);
    await victim.stop();
    const awaySinceMs = performance.now();
    for (const key of DELETED) await load.delete(requests, other.url, key);
    await comesAbout(() => handsOver(other));
    const isForgotten = await comesAbout(await forgetting(cluster.directoryUrl));
    if (!isForgotten) complain("the directory still remembers what was deleted long ago");
    const awayMs = performance.now() - awaySinceMs;
    await victim.start();
    load.readmit(victim.name);
    await comesAbout(async () => lacking(await quarantineOf(victim)).length === 0);
    const quarantined = await quarantineOf(victim);
    note(`away for ${(awayMs / 1000).toFixed(1)} s; ${quarantined.size} entries are in quarantine`);
    for (const key of lacking(quarantined)) {
      complain(`${key} was deleted, and ${victim.name}'s copy of it is not in its quarantine`);
    }
    for (const key of KEYS.filter((each) => quarantined.has(each) && !DELETED.includes(each))) {
      complain(`${key} was never deleted, and is in the quarantine of ${victim.name}`);
    }
  },
};

/** Resolves to the question whether a directory has forgotten everything that is deleted there now. */
async function forgetting(url: string): Promise<() => Promise<boolean>> {
  const status = (): Promise<Described<typeof directoryStatus>> =>
    getJson(`${url}/status`, directoryStatus, "DIRECTORY_UNREACHABLE");
  const { head, nowMs } = await status();
  const time = stampTimeOf(nowMs + MARGIN_MS);
  return async () => {
    const { swept } = (await status()).store;
    return swept.horizon >= time && swept.through >= head;
  };
}

/** The keys in a region's quarantine. */
async function quarantineOf({ url }: Region): Promise<ReadonlySet<string>> {
  const page = await getJson(`${url}/quarantine?limit=1000`, quarantinePage, "NO_READY_NODE");
  return new Set(page.entries.map(({ key }) => key));
}

/** The keys that should be in a quarantine and are not. */
function lacking(quarantined: ReadonlySet<string>): readonly string[] {
  return DELETED.filter((key) => !quarantined.has(key));
}
