/**
 * Tickets: what a page shows instead of a token, because its `EventSource` can send no header. A ticket is good once, for thirty seconds, and for reading
 * what it was made for, so that one which is found in a log is worth nothing.
 */
import { randomBytes } from "node:crypto";

import { MeridianError } from "@meridian/protocol";
import type { Principal } from "@meridian/protocol/http-api";
import type { Clock, Metrics } from "@meridian/runtime";

/** How long a ticket is good, in milliseconds. */
export const TICKET_MS = 30_000;

const TICKETS_MAX = 10_000;

interface Ticket {
  readonly principal: Principal | undefined;
  readonly untilMs: number;
}

/** The tickets of a node. */
export class Tickets {
  readonly #clock: Pick<Clock, "elapsedMs">;
  /** By their texts, the oldest first. */
  readonly #tickets = new Map<string, Ticket>();

  constructor(clock: Pick<Clock, "elapsedMs">, metrics: Metrics) {
    this.#clock = clock;
    metrics.level(() => [{ name: "watchTickets", now: this.#tickets.size, max: TICKETS_MAX }]);
  }

  /** Makes a ticket for watching a key, or all with a prefix, in the name of whoever asks. Throws `OVERLOADED`. */
  issue(principal: Principal | undefined, beginning: string): string {
    const nowMs = this.#clock.elapsedMs();
    for (const [text, { untilMs }] of this.#tickets) {
      if (untilMs > nowMs) break;
      this.#tickets.delete(text);
    }
    if (this.#tickets.size >= TICKETS_MAX) {
      const said = `Expected at most ${TICKETS_MAX} tickets that nobody has used, got one more`;
      throw new MeridianError("OVERLOADED", said, { details: { max: TICKETS_MAX } });
    }
    const text = randomBytes(24).toString("base64url");
    // The token covers what begins so, hence the ticket covers no more.
    const narrowed = principal && { ...principal, scope: "read" as const, prefixes: [beginning] };
    this.#tickets.set(text, { principal: narrowed, untilMs: nowMs + TICKET_MS });
    return text;
  }

  /** Takes a ticket, which is good no more. Returns in whose name it was made; undefined if it is not good. */
  take(text: string): Principal | undefined {
    const ticket = this.#tickets.get(text);
    if (ticket === undefined || !this.#tickets.delete(text)) return undefined;
    return ticket.untilMs > this.#clock.elapsedMs() ? ticket.principal : undefined;
  }
}
