import type { SlowRequests } from "@meridian/http";
import type { TracedFrame } from "@meridian/replication";
import { beginSpan, type Logger } from "@meridian/runtime";

/**
 * Tells of traced writes of other nodes that are durable here: each in a line at `debug`, those that took long as slow requests are told
 * of, and as spans where the host of this program takes them.
 */
export function tellTraced(
  { traces, entries, cameAtMs, tookMs }: TracedFrame,
  logger: Logger,
  slow: SlowRequests,
): void {
  const ms = Math.round(tookMs);
  for (const parent of traces) {
    const { traceId, parentId } = parent;
    const fields = { traceId, parentId, entries, ms };
    if (tookMs > slow.thresholdMs) slow.warn("a slow write of another node", fields);
    else logger.debug("took in a traced write", fields);
    const attributes = { "meridian.frame.entries": entries };
    const name = "meridian.replicate.apply";
    const span = beginSpan({ name, kind: "consumer", parent, attributes, startMs: cameAtMs });
    span?.end({ endMs: cameAtMs + tookMs });
  }
}
