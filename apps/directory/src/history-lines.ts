import { fillOf, levelOf, rateOf, type HistoryLine } from "@meridian/runtime";

/** The numbers of a directory whose last hour is kept. */
export const DIRECTORY_LINES: readonly HistoryLine[] = [
  rateOf("requestsPerSecond", "meridian_http_request_seconds"),
  rateOf("orderedPerSecond", "meridian_ordered_entries_total"),
  rateOf("committedPerSecond", "meridian_committed_entries_total"),
  levelOf("readyNodes", "meridian_nodes", { status: "ready" }),
  fillOf("members"),
  levelOf("entries", "meridian_store_entries"),
  levelOf("storeBytes", "meridian_store_file_bytes"),
  levelOf("diskFreeBytes", "meridian_disk_free_bytes"),
  levelOf("loopDelayMs", "nodejs_eventloop_delay_seconds", { quantile: "0.99" }, 1_000),
];
