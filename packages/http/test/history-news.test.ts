import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";

import { EventStreams, Exchange, HistoryNews, OriginPolicy } from "@meridian/http";
import { checkAnswer, history as schema } from "@meridian/protocol/http-api";
import { History, levelOf, Metrics, silentLogger } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import { expect, it } from "vitest";

function started() {
  const clock = new ManualClock();
  const metrics = new Metrics();
  metrics.gauge("free_bytes", "Room.", () => 1 / 3);
  const lines = [levelOf("freeBytes", "free_bytes"), levelOf("unknown", "nothing_bytes")];
  const history = new History({ lines, metrics, clock });
  const streams = new EventStreams({ clock, metrics: new Metrics() });
  const news = new HistoryNews({ history, streams, logger: silentLogger });
  news.start();
  return { clock, news };
}

/** Opens a stream, and returns the events that it is told. */
function watch(news: HistoryNews): { readonly told: string[]; readonly close: () => void } {
  const style = { origins: new OriginPolicy([]), headers: () => [] };
  const body = (): Promise<Uint8Array> => Promise.resolve(new Uint8Array());
  const carrier = {
    method: "GET",
    path: "/history/watch",
    query: "",
    header: () => undefined,
    body,
  };
  const answer = news.answer(new Exchange(style, carrier));
  const told: string[] = [];
  const outgoing = new ServerResponse(new IncomingMessage(new Socket()));
  outgoing.write = (text: unknown) => told.push(String(text)) > 0;
  (answer.body as { begin(outgoing: ServerResponse): void }).begin(outgoing);
  return { told, close: () => outgoing.emit("close") };
}

it("the history has a number for each point, and null where it is not known", () => {
  const { clock, news } = started();
  clock.advance(20_000);
  const body = news.body();
  checkAnswer(schema, JSON.parse(JSON.stringify(body)), "the program");
  expect(body).toMatchObject({
    everyMs: 10_000,
    lines: { freeBytes: [0.333333, 0.333333, 0.333333], unknown: [null, null, null] },
  });
});

it("a stream is told of all points, and then of each, until it is gone", () => {
  const { clock, news } = started();
  const { told, close } = watch(news);
  clock.advance(10_000);
  const events = told.filter((text) => text.startsWith("event"));
  expect(events.map((text) => text.split("\n")[0])).toEqual(["event: history", "event: point"]);
  expect(events[1]).toContain('"values":{"freeBytes":0.333333,"unknown":null}');
  close();
  clock.advance(10_000);
  expect(told.filter((text) => text.startsWith("event"))).toHaveLength(2);
});
