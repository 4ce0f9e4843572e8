import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { connect, type AddressInfo } from "node:net";

import { systemClock } from "@meridian/runtime";
import { expect, it, onTestFinished } from "vitest";

import { Pipelines } from "../src/pipelines.ts";

const REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const SENT = 4_000;
/** The most that one read of a socket gives, in requests. */
const PACKET = Math.ceil((64 * 1024) / REQUEST.length);

it("where node:http reads connections with something else, a connection is read a packet ahead, and all of it is answered", async () => {
  const pipelines = new Pipelines(systemClock, () => undefined);
  let [made, answered, most] = [0, 0, 0];
  let first: (() => void) | undefined;
  const answer = (outgoing: ServerResponse): void => {
    answered += 1;
    outgoing.end("ok");
  };
  const server = createServer((incoming, outgoing) => {
    made += 1;
    most = Math.max(most, made - answered);
    pipelines.enter(incoming, outgoing, () => {
      if (made > 1 || first !== undefined) answer(outgoing);
      else first = () => answer(outgoing);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.write(REQUEST);
  await expect.poll(() => first !== undefined).toBe(true);
  socket.write(REQUEST.repeat(SENT - 1));
  await expect.poll(() => made).toBeGreaterThan(30);
  socket.resume();
  first?.();
  await expect.poll(() => answered, { timeout: 20_000 }).toBe(SENT);
  expect(most).toBeLessThanOrEqual(PACKET + 32);
});
