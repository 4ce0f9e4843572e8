import { METRICS_CONTENT_TYPE, metricsText, type Metrics } from "@meridian/runtime";

import type { Answer } from "./answer.ts";
import type { Exchange } from "./exchange.ts";

/** Answers with the numbers of a program, as Prometheus reads them. */
export function answerMetrics(exchange: Exchange, metrics: Metrics): Answer {
  exchange.query();
  return exchange.text(200, METRICS_CONTENT_TYPE, metricsText(metrics));
}
