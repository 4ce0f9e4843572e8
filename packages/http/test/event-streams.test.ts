import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";

import { eventText, EventStreams, problemAnswer, type EventStream } from "@meridian/http";
import { Metrics } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import { expect, it, onTestFinished } from "vitest";

import { connectTo, levelOf, startServer } from "./harness.ts";

const COUNT = 1_000;
/** More would keep others waiting for too long: each costs a call of the system. */
const PER_TURN_MAX = 100;

function openMany(): {
  readonly clock: ManualClock;
  readonly streams: EventStreams;
  readonly answers: readonly ServerResponse[];
} {
  const clock = new ManualClock();
  const streams = new EventStreams({ clock, metrics: new Metrics() });
  const answers = Array.from({ length: COUNT }, () => {
    const answer = new ServerResponse(new IncomingMessage(new Socket()));
    streams.open(answer, undefined, { onGone: () => {} });
    return answer;
  });
  return { clock, streams, answers };
}

/** How many more answers are so after each turn, until all are. */
async function perTurn(isDone: () => number): Promise<readonly number[]> {
  const counts: number[] = [];
  for (let done = 0; done < COUNT && counts.length < COUNT;) {
    const now = isDone();
    counts.push(now - done);
    done = now;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return counts;
}

it("shows few clients in a turn that it is there, and all of them in the end", async () => {
  const { clock, answers } = openMany();
  const before = answers.map(({ writableLength }) => writableLength);
  clock.advance(15_000);
  const counts = await perTurn(
    () => answers.filter(({ writableLength }, at) => writableLength > (before[at] ?? 0)).length,
  );
  expect(Math.max(...counts)).toBeLessThan(PER_TURN_MAX);
});

it("ends few streams in a turn, and all of them in the end", async () => {
  const { streams, answers } = openMany();
  const closed = streams.close();
  const counts = await perTurn(() => answers.filter(({ writableEnded }) => writableEnded).length);
  await closed;
  expect(Math.max(...counts)).toBeLessThan(PER_TURN_MAX);
});

it("what clients leave unread of all streams together is bounded: who moves least is cut", async () => {
  const max = 4 * 1024 * 1024;
  const server = await startServer({ answerBytesMax: max });
  const streams = new EventStreams({ clock: new ManualClock(), metrics: new Metrics() });
  const opened: EventStream[] = [];
  let gone = 0;
  server.handle({
    request: (_, outgoing) => {
      outgoing.writeHead(200);
      opened.push(streams.open(outgoing, undefined, { onGone: () => (gone += 1) }));
    },
    refuse: (error) => problemAnswer(error),
  });
  for (let n = 0; n < 40; n += 1) {
    const socket = connectTo(server);
    socket.on("error", () => {});
    socket.pause();
    socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    onTestFinished(() => void socket.destroy());
  }
  await expect.poll(() => opened.length).toBe(40);
  const text = eventText("set", `"${"v".repeat(64 * 1024)}"`);
  let held = 0;
  // What the system takes off each stream comes on top of what waits here.
  for (let turn = 0; turn < 400 && opened.some((stream) => stream.isOpen); turn += 1) {
    for (const stream of opened) if (stream.isOpen) stream.send(text);
    held = Math.max(held, levelOf(server, "httpAnswerBytes")?.now ?? NaN);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(held).toBeLessThan(1.5 * max);
  expect(gone).toBeGreaterThan(0);
});
