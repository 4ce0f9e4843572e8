import { METRICS_CONTENT_TYPES, metricsText, type Metrics } from "@meridian/runtime";

import type { Answer } from "./answer.ts";
import type { Exchange } from "./exchange.ts";

/** Answers with the numbers of a program, as Prometheus reads them. */
export function answerMetrics(exchange: Exchange, metrics: Metrics): Answer {
  exchange.query();
  const isOpen = exchange.header("accept")?.includes("application/openmetrics-text") === true;
  const format = isOpen ? "openmetrics" : "prometheus";
  return exchange.text(200, METRICS_CONTENT_TYPES[format], metricsText(metrics, format));
}
