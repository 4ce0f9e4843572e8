/**
 * Tickets, which a page sends in a URL instead of a token, because `EventSource` cannot send a header. A ticket is valid once, within thirty seconds, and for reading
 * only, so a ticket that somebody finds in a log is useless.
 */
import { randomBytes } from "node:crypto";

import { MeridianError } from "@meridian/protocol";
import type { Principal } from "@meridian/protocol/http-api";
import type { Clock, Metrics } from "@meridian/runtime";

/** How long a ticket is valid, in milliseconds. */
export const TICKET_MS = 30_000;

const TICKETS_MAX = 10_000;

interface Ticket {
  readonly principal: Principal | undefined;
  readonly untilMs: number;
}

/** Makes the tickets of a node, and takes them. */
export class Tickets {
  readonly #clock: Pick<Clock, "elapsedMs">;
  /** The unused tickets by their text, the oldest first. */
  readonly #tickets = new Map<string, Ticket>();

  constructor(clock: Pick<Clock, "elapsedMs">, metrics: Metrics) {
    this.#clock = clock;
    metrics.level(() => [{ name: "watchTickets", now: this.#tickets.size, max: TICKETS_MAX }]);
  }

  /** Makes a ticket for reading keys that begin with `beginning`, a key or a prefix, in the name of `principal`. Throws `OVERLOADED`. */
  issue(principal: Principal | undefined, beginning: string): string {
    const nowMs = this.#clock.elapsedMs();
    for (const [text, { untilMs }] of this.#tickets) {
      if (untilMs > nowMs) break;
      this.#tickets.delete(text);
    }
    if (this.#tickets.size >= TICKETS_MAX) {
      const said = `Expected at most ${TICKETS_MAX} tickets that are unused, got one more`;
      throw new MeridianError("OVERLOADED", said, { details: { max: TICKETS_MAX } });
    }
    const text = randomBytes(24).toString("base64url");
    // A token that covers `beginning` covers all keys that begin with it, so the ticket grants no more than the token.
    const narrowed = principal && { ...principal, scope: "read" as const, prefixes: [beginning] };
    this.#tickets.set(text, { principal: narrowed, untilMs: nowMs + TICKET_MS });
    return text;
  }

  /** Uses a ticket up. Returns the principal in whose name it was made; undefined if the ticket is not valid. */
  take(text: string): Principal | undefined {
    const ticket = this.#tickets.get(text);
    if (ticket === undefined || !this.#tickets.delete(text)) return undefined;
    return ticket.untilMs > this.#clock.elapsedMs() ? ticket.principal : undefined;
  }
}
