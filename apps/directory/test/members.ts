import type { AbsentMember, MemberInfo } from "@meridian/replication";
import type { Clock } from "@meridian/runtime";

import type { MemberSource } from "../src/node-registry.ts";

/** A registered, ready node; `given` says what is special about it. */
export function memberOf(given: Partial<MemberInfo> & { readonly id: string }): MemberInfo {
  return {
    region: "eu-west",
    url: `http://10.0.0.1:7401`,
    ip: "10.0.0.1",
    port: 7401,
    lat: 0,
    lon: 0,
    status: "ready",
    lagMs: 3,
    peer: null,
    load: { entries: 10, bytes: 1_000, requestsPerSecond: 1.5 },
    appliedThrough: 7,
    outboxPending: 0,
    skewMs: -2,
    connectedAtMs: 1_700_000_000_000,
    bufferedBytes: 0,
    unsent: 0,
    ...given,
  };
}

/** A source of these nodes, which may be replaced by others. */
export function sourceOf(
  members: readonly MemberInfo[],
): MemberSource & { members: readonly MemberInfo[] } {
  return {
    members,
    linked(id) {
      return this.members.find((member) => member.id === id);
    },
  };
}

/** A node that is remembered and not there. */
export function absent(id: string): AbsentMember {
  const place = { region: "eu-west", url: `http://${id}.example`, ip: "10.0.0.1", port: 7401 };
  return { id, ...place, lat: 0, lon: 0, seenAtMs: 1_700_000_000_000 };
}

export interface ManualClock extends Clock {
  advance(ms: number): void;
}

/** A clock that stands still until it is told. */
export function manualClock(): ManualClock {
  let elapsedMs = 0;
  return {
    nowMs: () => 1_700_000_000_000 + elapsedMs,
    elapsedMs: () => elapsedMs,
    after: () => () => {},
    advance: (ms) => {
      elapsedMs += ms;
    },
  };
}
