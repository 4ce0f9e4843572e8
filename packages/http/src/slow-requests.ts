import type { IncomingMessage } from "node:http";

import type { Clock, LogFields, Logger } from "@meridian/runtime";

import { idsOf } from "./request-ids.ts";

/** So many lines a second are enough to see what is slow; a standstill makes everything slow at once. */
const LINES_PER_SECOND = 10;

/** What is told of a request that was slow. */
export interface SlowRequest {
  readonly route: string;
  readonly status: number;
  readonly tookMs: number;
}

/** What a request says of itself and of who asked. */
type Asked = Pick<IncomingMessage, "method" | "headers">;

/** Tells the log of requests that took long. Their paths and queries, which name keys, stay out of it. */
export class SlowRequests {
  readonly #clock: Pick<Clock, "elapsedMs">;
  readonly #logger: Logger;
  /** Requests that take longer are told of. */
  thresholdMs: number;
  #sinceMs = -Infinity;
  #told = 0;
  #untold = 0;

  constructor(clock: Pick<Clock, "elapsedMs">, logger: Logger, thresholdMs: number = Infinity) {
    this.#clock = clock;
    this.#logger = logger;
    this.thresholdMs = thresholdMs;
  }

  /** Tells of one, if there is still room for a line. */
  tell({ method = "", headers }: Asked, { route, status, tookMs }: SlowRequest): void {
    const ms = Math.round(tookMs);
    this.warn("a slow request", { method, route, status, ms, ...idsOf(headers) });
  }

  /** Tells of anything else that took long, if there is still room for a line. */
  warn(message: string, fields: LogFields): void {
    const nowMs = this.#clock.elapsedMs();
    if (nowMs - this.#sinceMs >= 1_000) [this.#sinceMs, this.#told] = [nowMs, 0];
    if (this.#told >= LINES_PER_SECOND) {
      this.#untold += 1;
      return;
    }
    const more = this.#untold === 0 ? {} : { untold: this.#untold };
    [this.#told, this.#untold] = [this.#told + 1, 0];
    this.#logger.warn(message, { ...fields, ...more });
  }
}
