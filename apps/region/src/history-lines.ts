import { fillOf, levelOf, rateOf, type HistoryLine } from "@meridian/runtime";

/** Why entries leave memory, or are not let in. */
const REMOVALS = ["evicted", "expired", "deleted", "cleared", "replaced", "rejected"] as const;

/** The numbers of a region whose last hour is kept. */
export const REGION_LINES: readonly HistoryLine[] = [
  rateOf("requestsPerSecond", "meridian_http_request_seconds"),
  rateOf("socketRequestsPerSecond", "meridian_websocket_request_seconds"),
  rateOf("memoryReadsPerSecond", "meridian_reads_total", { from: "memory" }),
  rateOf("storeReadsPerSecond", "meridian_reads_total", { from: "store" }),
  rateOf("missedReadsPerSecond", "meridian_reads_total", { from: "nowhere" }),
  rateOf("writesPerSecond", "meridian_written_entries_total"),
  ...REMOVALS.map((reason) =>
    rateOf(`${reason}PerSecond`, "meridian_cache_removals_total", { reason }),
  ),
  levelOf("entries", "meridian_store_entries"),
  levelOf("storeBytes", "meridian_store_file_bytes"),
  fillOf("cacheEntries"),
  fillOf("cacheBytes"),
  levelOf("outboxFrames", "meridian_outbox_pending_frames"),
  levelOf("lagMs", "meridian_lag_seconds", {}, 1_000),
  levelOf("skewMs", "meridian_clock_ahead_seconds", {}, 1_000),
  levelOf("diskFreeBytes", "meridian_disk_free_bytes"),
  levelOf("loopDelayMs", "nodejs_eventloop_delay_seconds", { quantile: "0.99" }, 1_000),
];
