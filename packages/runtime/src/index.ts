export { Backoff, type BackoffOptions } from "./backoff.ts";
export type { Clock } from "./clock.ts";
export { Cuts, type CutsOptions } from "./cuts.ts";
export { Deadlines } from "./deadlines.ts";
export type { Gauge } from "./gauge.ts";
export { HeldBytes, SMALL_BYTES, type HeldBytesOptions, type Holder } from "./held-bytes.ts";
export {
  fillOf,
  History,
  levelOf,
  rateOf,
  type HistoryLine,
  type HistoryOptions,
  type HistoryPoint,
} from "./history.ts";
export {
  LOG_LEVELS,
  lineLogger,
  silentLogger,
  type LineLoggerOptions,
  type LogFields,
  type LogLevel,
  type Logger,
} from "./logger.ts";
export { METRICS_CONTENT_TYPES, metricsText, type MetricsFormat } from "./metrics-text.ts";
export {
  Counter,
  Histogram,
  Metrics,
  WAIT_SECONDS,
  type Labels,
  type MetricFamily,
  type Sample,
} from "./metrics.ts";
export { randomIdentity, type Random } from "./random.ts";
export { seededRandom } from "./seeded-random.ts";
export { SmallArrays } from "./small-arrays.ts";
export { Fifo } from "./fifo.ts";
export { systemClock } from "./system-clock.ts";
export { systemRandom } from "./system-random.ts";
export {
  activePlace,
  beginSpan,
  hasTelemetry,
  type LiveSpan,
  type SpanAttributes,
  type SpanEnd,
  type SpanPlace,
  type SpanStart,
} from "./telemetry.ts";
