/** `/watch`: what becomes of keys, as server-sent events. */
import { eventText, idText, type Answer, type JsonAnswer } from "@meridian/http";
import type { Described, watchTicket } from "@meridian/protocol/http-api";
import { readFlag } from "../api/arguments.ts";
import { newsJson, watchedOf } from "../api/watched.ts";
import type { Watch } from "../../service/watches.ts";
import type { RegionExchange } from "./exchange.ts";
import { TICKET_MS } from "./tickets.ts";

/** The path of the stream. */
export const WATCH_PATH = "/watch";

/** `GET /watch?key=|prefix=[&values=][&positions=][&ticket=]` */
export async function watch(exchange: RegionExchange): Promise<Answer> {
  const query = exchange.query("key", "prefix", "values", "positions", "ticket");
  const watched = watchedOf(query.key, query.prefix);
  const withValues = readFlag("values", query.values);
  const withPositions = readFlag("positions", query.positions);
  const { watches, time } = exchange.service;
  const { clock } = exchange.node;
  // A browser that has got no event yet sends no `Last-Event-ID`, or an empty one.
  const last = exchange.header("last-event-id");
  const token = last === "" ? undefined : last;
  await exchange.admit();
  watches.check({ token });
  return exchange.events(exchange.node.streams, (open) => {
    // Undefined where the client has gone, or the program ends, before the watch has begun.
    let begun: Watch | undefined;
    const stream = open({
      onDrain: () => begun?.goOn(),
      onGone: () => begun?.close(),
    });
    const openedAtMs = clock.elapsedMs();
    const level = (place: string, position: string): void => {
      const elapsedMs = Math.floor(clock.elapsedMs() - openedAtMs);
      const nowMs = Math.ceil(time.nowMs());
      const told = { position, elapsedMs, nowMs };
      stream.send(eventText("position", JSON.stringify(told), place));
    };
    begun = watches.open(
      { watched, token },
      {
        isOpen: () => stream.isOpen,
        tell: (news, place) => {
          const end = news.length - 1;
          // Only the last has an id: a token stands for the place behind all of them.
          const texts = news.map((each, at) =>
            eventText(each.event, newsJson(each, withValues), at === end ? place : undefined),
          );
          stream.send(texts.join(""));
        },
        reload: (place) => stream.send(eventText("reload", "{}", place)),
        end: () => stream.end(),
        ...(withPositions && { level }),
      },
    );
    stream.send(idText(begun.token));
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
