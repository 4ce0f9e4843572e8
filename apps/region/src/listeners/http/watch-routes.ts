/** `/watch`: what becomes of keys, as server-sent events. */
import type { Answer, JsonAnswer } from "@meridian/http";
import type { Described, watchTicket } from "@meridian/protocol/http-api";

import { readFlag } from "./arguments.ts";
import type { RegionExchange } from "./exchange.ts";
import { TICKET_MS } from "./tickets.ts";
import { newsJson, watchedOf } from "./watched.ts";

/** The path of the stream. */
export const WATCH_PATH = "/watch";

/** `GET /watch?key=|prefix=[&values=][&ticket=]` */
export async function watch(exchange: RegionExchange): Promise<Answer> {
  const { key, prefix, values } = exchange.query("key", "prefix", "values", "ticket");
  const watched = watchedOf(key, prefix);
  const withValues = readFlag("values", values);
  const { watches } = exchange.service;
  // A browser that has heard nothing yet sends none, or an empty one.
  const last = exchange.header("last-event-id");
  const token = last === "" ? undefined : last;
  await exchange.admit();
  watches.check({ token });
  return exchange.events(exchange.node.streams, (open) => {
    const stream = open({
      onDrain: () => begun.goOn(),
      onGone: () => begun.close(),
    });
    const begun = watches.open(
      { watched, token },
      {
        isOpen: () => stream.isOpen,
        tell: (news, place) => {
          const end = news.length - 1;
          // Only the last has an id: a token stands for the place behind all of them.
          for (const [at, each] of news.entries()) {
            stream.send(at === end ? place : undefined, each.event, newsJson(each, withValues));
          }
        },
        reload: (place) => stream.send(place, "reload"),
        end: () => stream.end(),
      },
    );
    stream.send(begun.token);
  });
}

/** `POST /watch/tickets?key=|prefix=` */
export async function makeTicket(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof watchTicket>>> {
  const { key, prefix } = exchange.query("key", "prefix");
  watchedOf(key, prefix);
  await exchange.admit();
  const ticket = exchange.node.tickets.issue(exchange.principal, key ?? prefix ?? "");
  return exchange.json(200, { ticket, expiresInMs: TICKET_MS }, ["Cache-Control", "no-store"]);
}
