/** Whole answers of programs, as their schemas have them; `given` says what is special about one. */
import {
  UNKNOWN_PROGRESS,
  type absentNode,
  type Described,
  type directoryStatus,
  type nearestNode,
  type presentNode,
  type regionStatus,
} from "@meridian/protocol/http-api";
import { EMPTY_STORE } from "@meridian/testkit";

const PLACE = { region: "r", ip: "127.0.0.1", port: 1, lat: 50, lon: 8 };
const LOAD = { entries: 0, bytes: 0, requestsPerSecond: 0 };

type Named<Node extends { readonly id: string; readonly url: string }> = Partial<Node> &
  Pick<Node, "id" | "url">;

type Present = Described<typeof presentNode>;
type Absent = Described<typeof absentNode>;
type Nearest = Described<typeof nearestNode>;
type RegionStatus = Described<typeof regionStatus>;
type DirectoryStatus = Described<typeof directoryStatus>;

/** A node that is there, as a directory knows it. */
export function nodeOf(given: Named<Present>): Present {
  return {
    ...PLACE,
    status: "ready",
    goneSinceMs: null,
    lagMs: 0,
    load: LOAD,
    appliedThrough: 0,
    outboxPending: 0,
    skewMs: 0,
    peer: null,
    connectedAtMs: 0,
    bufferedBytes: 0,
    unsent: 0,
    ...given,
  };
}

/** A node that is missed. */
export function absentNodeOf(given: Named<Absent>): Absent {
  return {
    ...PLACE,
    status: "gone",
    goneSinceMs: 0,
    ...UNKNOWN_PROGRESS,
    ...given,
  };
}

/** A node near a place. */
export function nearestNodeOf(given: Named<Nearest>): Nearest {
  return { ...PLACE, distanceMeters: 5, status: "ready", lagMs: 0, load: LOAD, ...given };
}

/** What a region says of itself. */
export function regionStatusOf(
  given: Partial<Omit<RegionStatus, "replica">> & {
    readonly replica?: Partial<RegionStatus["replica"]>;
  },
): RegionStatus {
  const replica = {
    incarnation: 1,
    logId: 1,
    epoch: 1,
    applied: 0,
    committedThrough: 0,
    behind: 0,
    lagMs: 0,
    outboxThrough: 0,
    outboxPending: 0,
    horizonAtMs: null,
    quarantined: 0,
    connected: true,
    directory: 0,
    reconciling: false,
    heldBack: false,
    admission: "admitted" as const,
    refusal: null,
    skewMs: 0,
    clockCorrected: false,
    clocksAgreeing: 1,
    clocksMembers: 1,
    clockConfirmed: true,
  };
  const { ip: _ip, port: _port, ...place } = PLACE;
  return {
    id: "b",
    ...place,
    url: "http://b",
    cluster: "c",
    version: "1",
    startedAtMs: 0,
    nowMs: 0,
    status: "ready",
    readyPeers: [],
    damage: null,
    shortage: null,
    directory: null,
    directoriesFound: null,
    gauges: [],
    store: EMPTY_STORE,
    cache: { entries: 0, bytes: 0, removals: {}, reads: { memory: 0, store: 0, misses: 0 } },
    requests: { active: 0, perSecond: 0 },
    ...given,
    replica: { ...replica, ...given.replica },
  };
}

/** What a directory says of itself. */
export function directoryStatusOf(given: Partial<DirectoryStatus>): DirectoryStatus {
  return {
    cluster: "c",
    version: "1",
    startedAtMs: 0,
    nowMs: 0,
    logId: 1,
    epoch: 1,
    head: 0,
    committedThrough: 0,
    horizonAtMs: null,
    horizonFrozenUntilMs: 0,
    nodes: {},
    connections: 0,
    reconciling: null,
    reconcileWaiting: 0,
    syncing: false,
    stall: null,
    peers: [],
    clocks: { aheadMs: 0, agreeing: 1, members: 1, confirmed: true, deviant: [] },
    bufferedBytes: 0,
    recentBytes: 0,
    lagMaxMs: 10_000,
    damage: null,
    gauges: [],
    store: { ...EMPTY_STORE, swept: { horizon: 0, through: 0 } },
    ...given,
  };
}
