/** What the directory tells of itself. */
import { unixMsOf } from "@meridian/protocol";
import type { Described, directoryStatus } from "@meridian/protocol/http-api";

import type { DirectoryService } from "./directory-service.ts";

/** The body of `/status`. */
export function statusOf(service: DirectoryService): Described<typeof directoryStatus> {
  const nodes: Record<string, number> = { gone: service.absent().length };
  let bufferedBytes = 0;
  for (const member of service.registry.all()) {
    nodes[member.status] = (nodes[member.status] ?? 0) + 1;
    bufferedBytes += member.bufferedBytes;
  }
  const info = service.info();
  return {
    id: service.id,
    url: service.url,
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
    beside: [...service.beside()],
    clocks: info.clocks,
    bufferedBytes,
    recentBytes: info.recentBytes,
    lagMaxMs: service.lag.maxMs,
    lat: service.place?.lat ?? null,
    lon: service.place?.lon ?? null,
    damage: service.damage()?.message ?? null,
    snapshots: service.snapshots(),
    conditions: info.conditions,
    gauges: service.metrics.levels(),
    disk: service.disk(),
    store: service.store(),
  };
}
