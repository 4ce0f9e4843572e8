import type { SlowRequests } from "@meridian/http";
import type { TracedFrame } from "@meridian/replication";
import type { Logger } from "@meridian/runtime";

/** Tells of traced writes of other nodes that are durable here: each in a line at `debug`, those that took long as slow requests are told of. */
export function tellTraced(
  { traces, entries, tookMs }: TracedFrame,
  logger: Logger,
  slow: SlowRequests,
): void {
  const ms = Math.round(tookMs);
  for (const { traceId, parentId } of traces) {
    const fields = { traceId, parentId, entries, ms };
    if (tookMs > slow.thresholdMs) slow.warn("a slow write of another node", fields);
    else logger.debug("took in a traced write", fields);
  }
}
