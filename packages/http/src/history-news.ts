/** `/history`: how the numbers of a program went, and how they go on as server-sent events. Nothing is said, or made, while nobody listens. */
import type { COMMON_API, Described, history } from "@meridian/protocol/http-api";
import type { History, HistoryPoint, Logger } from "@meridian/runtime";

import type { Answer } from "./answer.ts";
import { eventText, sendInTurns, type EventStream, type EventStreams } from "./event-streams.ts";
import type { Exchange } from "./exchange.ts";
import type { ApiRoutes } from "./routed-app.ts";

/** What is told of, and how. */
export interface HistoryNewsOptions {
  readonly history: History;
  readonly streams: EventStreams;
  readonly logger: Logger;
}

/** Four digits and more are noise in a chart. */
const DIGITS = 6;

/** Tells how the numbers of a program went, and go on. */
export class HistoryNews {
  readonly #options: HistoryNewsOptions;
  readonly #streams = new Set<EventStream>();

  constructor(options: HistoryNewsOptions) {
    this.#options = options;
  }

  /** Begins to keep and to tell. */
  start(): void {
    const { history: kept, logger } = this.#options;
    kept.start((point) => {
      if (this.#streams.size === 0) return;
      this.#tell(point).catch((cause: unknown) => {
        logger.error("a point of the history could not be told", { error: String(cause) });
      });
    });
  }

  stop(): void {
    this.#options.history.stop();
  }

  /** The body of `GET /history`. */
  body(): Described<typeof history> {
    const { history: kept } = this.#options;
    const points = kept.points();
    const lines = kept.names.map(
      (name, index) => [name, points.map(({ values }) => rounded(values[index]))] as const,
    );
    const atMs = points.map((point) => point.atMs);
    return { everyMs: kept.everyMs, atMs, lines: Object.fromEntries(lines) };
  }

  /** `GET /history/watch` */
  answer(exchange: Exchange): Answer {
    exchange.query();
    const { streams } = this.#options;
    streams.check();
    return exchange.events(streams, (open) => {
      const stream = open({ onGone: () => this.#streams.delete(stream) });
      this.#streams.add(stream);
      stream.send(eventText("history", JSON.stringify(this.body())));
    });
  }

  #tell({ atMs, values }: HistoryPoint): Promise<void> {
    const { names } = this.#options.history;
    const named = names.map((name, index) => [name, rounded(values[index])] as const);
    const told = { atMs, values: Object.fromEntries(named) };
    const text = eventText("point", JSON.stringify(told));
    // A client that comes again is told everything.
    return sendInTurns(this.#streams, text, (stream) => stream.end());
  }
}

/** The routes of `/history`. */
export function historyRoutes<E extends Exchange>(
  newsOf: (exchange: E) => HistoryNews,
): Pick<ApiRoutes<typeof COMMON_API, E>, "/history" | "/history/watch"> {
  return {
    "/history": {
      GET: (exchange) => {
        exchange.query();
        return exchange.json(200, newsOf(exchange).body(), ["Cache-Control", "no-store"]);
      },
    },
    "/history/watch": { GET: (exchange) => newsOf(exchange).answer(exchange) },
  };
}

function rounded(value = NaN): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(DIGITS)) : null;
}
