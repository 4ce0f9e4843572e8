/** What the directory tells of its nodes and of itself. */
import { unixMsOf } from "@meridian/protocol";
import type { MemberInfo } from "@meridian/replication";

import type { DirectoryService } from "./directory-service.ts";

/** The public facts of a node, one by one: what the machine adds for itself stays inside. */
export function describe(member: MemberInfo): object {
  return {
    id: member.id,
    region: member.region,
    url: member.url,
    ip: member.ip,
    port: member.port,
    lat: member.lat,
    lon: member.lon,
    status: member.status,
    lagMs: member.lagMs,
    load: member.load,
    appliedThrough: member.appliedThrough,
    outboxPending: member.outboxPending,
    skewMs: member.skewMs,
    peer: member.peer,
    connectedAtMs: member.connectedAtMs,
    bufferedBytes: member.bufferedBytes,
    unsent: member.unsent,
  };
}

/** The body of `/status`. */
export function statusOf(service: DirectoryService): object {
  const nodes: Record<string, number> = {};
  let bufferedBytes = 0;
  for (const member of service.registry.all()) {
    nodes[member.status] = (nodes[member.status] ?? 0) + 1;
    bufferedBytes += member.bufferedBytes;
  }
  const info = service.info();
  return {
    cluster: service.cluster,
    version: service.version,
    startedAtMs: service.startedAtMs,
    nowMs: service.clock.nowMs(),
    logId: info.logId,
    epoch: info.epoch,
    head: info.head,
    committedThrough: info.committedThrough,
    horizonAtMs: info.horizon === 0 ? null : unixMsOf(info.horizon),
    horizonFrozenUntilMs: info.horizonFrozenUntilMs,
    nodes,
    connections: info.connections,
    reconciling: info.reconciling,
    reconcileWaiting: info.reconcileWaiting,
    syncing: info.syncing,
    stall: info.stall,
    peers: info.peers,
    bufferedBytes,
    recentBytes: info.recentBytes,
    lagMaxMs: service.lagMaxMs,
    damage: service.damage()?.message ?? null,
    gauges: service.gauges(),
    store: service.store(),
  };
}
