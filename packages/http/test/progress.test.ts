import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import {
  carrierOfIncoming,
  HeldBytes,
  jsonAnswer,
  problemAnswer,
  RequestLimit,
  send,
  type Answer,
  type HttpServer,
} from "@meridian/http";
import type { MeridianError } from "@meridian/protocol";
import { Metrics, systemClock, metricsText } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import { expect, it, onTestFinished } from "vitest";

import { connectTo, exchangeBytes, levelOf, startServer } from "./harness.ts";

const MEBIBYTE = 1024 * 1024;
const refuse = (error: MeridianError): Answer => problemAnswer(error);

function get(path: string, more = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
}

/** A connection that reads nothing. */
function deaf(server: HttpServer): Socket {
  const socket = connectTo(server);
  socket.on("error", () => {});
  socket.pause();
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** What a server's gauge of that name says now. */
function gauge(server: HttpServer, wanted: string): number {
  return levelOf(server, wanted)?.now ?? NaN;
}

async function statusOf(server: HttpServer, path: string): Promise<string> {
  const answer = await exchangeBytes(server, get(path, "Connection: close\r\n"));
  return answer.slice(9, 12);
}

/** Answers any path with as many mebibytes as it says. */
function serveMebibytes(server: HttpServer): void {
  const request = ({ url = "" }: IncomingMessage, outgoing: ServerResponse): void => {
    const body = new Uint8Array(Number(url.slice(1)) * MEBIBYTE);
    send(outgoing, { status: 200, headers: ["Content-Length", String(body.length)], body });
  };
  server.handle({ request, refuse });
}

it("a request that was sent ahead is looked at when the answer in front of it has left", async () => {
  const server = await startServer();
  const asked: string[] = [];
  const answers: ServerResponse[] = [];
  const request = ({ url = "" }: IncomingMessage, outgoing: ServerResponse): void => {
    asked.push(url);
    answers.push(outgoing);
  };
  server.handle({ request, refuse });
  const socket = connectTo(server);
  onTestFinished(() => void socket.destroy());
  let heard = "";
  socket.on("data", (chunk: Buffer) => (heard += chunk.toString()));
  socket.write(get("/1") + get("/2") + get("/3"));
  for (const path of ["/1", "/2", "/3"]) {
    await expect.poll(() => asked.at(-1)).toBe(path);
    expect(asked).toHaveLength(answers.length);
    const outgoing = answers.at(-1);
    if (outgoing !== undefined) send(outgoing, jsonAnswer(200, path));
  }
  await expect.poll(() => heard.match(/"\/\d"/g)).toEqual(['"/1"', '"/2"', '"/3"']);
});

it("a connection that sends ahead without end is read no further than a part of that, and all of it is answered", async () => {
  const server = await startServer();
  const waiting: ServerResponse[] = [];
  let served = 0;
  let isHeldUp = true;
  const request = (_: IncomingMessage, outgoing: ServerResponse): void => {
    served += 1;
    if (isHeldUp) waiting.push(outgoing);
    else send(outgoing, jsonAnswer(200, served));
  };
  server.handle({ request, refuse });
  const socket = connectTo(server);
  onTestFinished(() => void socket.destroy());
  const count = 30_000;
  socket.write(get("/").repeat(count));
  await expect.poll(() => waiting.length).toBe(1);
  const answerBytes = (): number => gauge(server, "httpAnswerBytes");
  // The requests that wait as such, and two packets at most that wait as bytes.
  await expect.poll(answerBytes).toBeGreaterThan(32 * 4_096 + 16 * 1_024);
  expect(answerBytes()).toBeLessThan(32 * 4_096 + 3 * 64 * 1_024);
  isHeldUp = false;
  let heard = 0;
  socket.on(
    "data",
    (chunk: Buffer) => (heard += chunk.toString().split("HTTP/1.1 200").length - 1),
  );
  for (const outgoing of waiting) send(outgoing, jsonAnswer(200, 0));
  // One or another may have come in two chunks.
  await expect.poll(() => heard, { timeout: 50_000 }).toBeGreaterThan(count - 100);
  await expect.poll(answerBytes).toBe(0);
});

it("clients that ask for much and do not read make room for others, which go on being answered", async () => {
  const server = await startServer({ answerBytesMax: 32 * MEBIBYTE });
  serveMebibytes(server);
  const idle = Array.from({ length: 6 }, () => deaf(server));
  for (const socket of idle) socket.write(get("/16"));
  for (let turn = 0; turn < 20; turn += 1) expect(await statusOf(server, "/0")).toBe("200");
  await expect.poll(() => statusOf(server, "/8"), { timeout: 10_000 }).toBe("200");
  expect(await statusOf(server, "/0")).toBe("200");
  expect(gauge(server, "httpConnections")).toBeLessThan(idle.length);
});

it("a large answer arrives whole, and in one piece or many alike", async () => {
  const server = await startServer();
  const body = Buffer.alloc(5 * MEBIBYTE + 1, "0123456789");
  const pieces = [
    body.subarray(0, 10),
    body.subarray(10, 3 * MEBIBYTE),
    body.subarray(3 * MEBIBYTE),
  ];
  const headers = ["Content-Length", String(body.length)];
  const request = ({ url }: IncomingMessage, outgoing: ServerResponse): void =>
    send(outgoing, { status: 200, headers, body: url === "/pieces" ? pieces : body });
  server.handle({ request, refuse });
  for (const path of ["/whole", "/pieces"]) {
    const answer = await exchangeBytes(server, get(path, "Connection: close\r\n"));
    expect(answer.slice(answer.indexOf("\r\n\r\n") + 4) === body.toString("latin1")).toBe(true);
  }
});

it("connections on which nothing moves make room for others, those that wait for the server do not", async () => {
  const metrics = new Metrics();
  const server = await startServer({ connectionsMax: 4, metrics });
  const answers: ServerResponse[] = [];
  const request = ({ url }: IncomingMessage, outgoing: ServerResponse): void => {
    if (url === "/later") answers.push(outgoing);
    else send(outgoing, jsonAnswer(200, "now"));
  };
  server.handle({ request, refuse });
  const served = connectTo(server);
  onTestFinished(() => void served.destroy());
  served.write(get("/later"));
  const silent = [deaf(server), deaf(server), deaf(server)];
  await Promise.all(silent.map((socket) => once(socket, "connect")));
  await expect.poll(() => answers.length).toBe(1);
  await expect.poll(() => statusOf(server, "/"), { timeout: 10_000 }).toBe("200");
  expect(metricsText(metrics)).toMatch(/meridian_http_cuts_total\{reason="idle"\} [1-9]/);
  const [outgoing] = answers;
  if (outgoing !== undefined) send(outgoing, jsonAnswer(200, "later"));
  expect(String(await once(served, "data"))).toContain("later");
});

it("another bound of connections lets more in, and a lower one takes none in before others have gone", async () => {
  const server = await startServer({ connectionsMax: 1 });
  const answers: ServerResponse[] = [];
  const request = ({ url }: IncomingMessage, outgoing: ServerResponse): void => {
    if (url === "/later") answers.push(outgoing);
    else send(outgoing, jsonAnswer(200, "now"));
  };
  server.handle({ request, refuse });
  const wait = async (): Promise<Socket> => {
    const socket = connectTo(server);
    onTestFinished(() => void socket.destroy());
    const before = answers.length;
    socket.write(get("/later"));
    await expect.poll(() => answers.length).toBe(before + 1);
    return socket;
  };
  const first = await wait();
  expect(await statusOf(server, "/")).toBe("503");
  server.boundConnections(3);
  const second = await wait();
  expect(await statusOf(server, "/")).toBe("200");
  server.boundConnections(1);
  expect(await statusOf(server, "/")).toBe("503");
  first.destroy();
  await expect.poll(() => gauge(server, "httpConnections")).toBe(1);
  expect(await statusOf(server, "/")).toBe("503");
  second.destroy();
  await expect.poll(() => gauge(server, "httpConnections")).toBe(0);
  expect(await statusOf(server, "/")).toBe("200");
});

it("a connection on which a request has come makes no room, although nobody has read that yet", async () => {
  const clock = new ManualClock();
  const server = await startServer({ connectionsMax: 1, clock });
  const request = (_: IncomingMessage, outgoing: ServerResponse): void =>
    send(outgoing, jsonAnswer(200, "answered"));
  server.handle({ request, refuse });
  for (let turn = 0; turn < 10; turn += 1) {
    const kept = connectTo(server);
    kept.on("error", () => {});
    onTestFinished(() => void kept.destroy());
    kept.write(get("/"));
    expect(String(await once(kept, "data"))).toContain("answered");
    // It is seen to have been still from now on.
    expect(await statusOf(server, "/")).toBe("503");
    clock.advance(5_000);
    // The newcomer comes first, and the request before it is let in.
    const newcomer = statusOf(server, "/");
    process.nextTick(() => process.nextTick(() => kept.write(get("/"))));
    expect(String(await once(kept, "data"))).toContain("answered");
    expect(await newcomer).toBe("503");
    kept.destroy();
    await expect.poll(() => gauge(server, "httpConnections")).toBe(0);
  }
});

it("of too many requests the oldest goes that waits for its own client", async () => {
  const server = await startServer();
  const limit = new RequestLimit(new Metrics(), () => server.cuts.tell("request"), 3);
  const answers: ServerResponse[] = [];
  const request = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    limit.track(incoming, outgoing);
    answers.push(outgoing);
  };
  server.handle({ request, refuse });
  const body = "PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n";
  const sent = [get("/"), `${body}123456789`, `${body}12345`, get("/"), get("/")];
  const sockets: Socket[] = [];
  const ended: number[] = [];
  for (const [index, bytes] of sent.entries()) {
    const socket = connectTo(server);
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => ended.push(index));
    socket.write(bytes);
    sockets.push(socket);
    await expect.poll(() => answers.length).toBe(index + 1);
  }
  await expect.poll(() => ended).toEqual([1, 2]);
  expect(limit.active).toBe(3);
});

it("bodies that lack their last byte make room for those that come, and are told so", async () => {
  const metrics = new Metrics();
  const bodies = new HeldBytes({
    metrics,
    name: "bodies",
    what: "bodies",
    max: MEBIBYTE,
    clock: systemClock,
  });
  const server = await startServer();
  const request = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    void Promise.resolve(carrierOfIncoming(incoming).body(MEBIBYTE, bodies)).then(
      (body) => send(outgoing, jsonAnswer(200, body.length)),
      (cause: MeridianError) => send(outgoing, problemAnswer(cause, ["Connection", "close"])),
    );
  };
  server.handle({ request, refuse });
  const bytes = 300 * 1_024;
  const head = `PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${bytes}\r\n`;
  const heard: string[] = [];
  for (let count = 0; count < 2; count += 1) {
    const socket = connectTo(server);
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => heard.push(chunk.toString()));
    socket.write(`${head}\r\n${"x".repeat(bytes - 1)}`);
  }
  await expect.poll(() => metrics.levels()[0]?.now).toBe(2 * (bytes - 1));
  const put = (): Promise<string> =>
    exchangeBytes(server, `${head}Connection: close\r\n\r\n${"x".repeat(bytes)}`);
  await expect.poll(put, { timeout: 10_000 }).toContain(`\r\n\r\n${bytes}`);
  await expect.poll(() => heard.join()).toContain("OVERLOADED");
  expect(metrics.levels()[0]?.now).toBeLessThan(2 * bytes);
});

it("of requests that were sent ahead on many connections, few are answered in one turn", async () => {
  const server = await startServer();
  let [turn, most, inTurn, answered] = [0, 0, 0, 0];
  let lastTurn = -1;
  const spin = (): void => {
    turn += 1;
    if (answered < 1_000) setImmediate(spin);
  };
  setImmediate(spin);
  const request = ({ url }: IncomingMessage, outgoing: ServerResponse): void => {
    answered += 1;
    if (url === "/ahead") {
      inTurn = turn === lastTurn ? inTurn + 1 : 1;
      lastTurn = turn;
      most = Math.max(most, inTurn);
    }
    send(outgoing, { status: 200, headers: ["Content-Length", "2"], body: "ok" });
  };
  server.handle({ request, refuse });
  const ahead = get("/first") + get("/ahead").repeat(48) + get("/ahead", "Connection: close\r\n");
  const connections = Array.from({ length: 20 }, () => exchangeBytes(server, ahead));
  for (const bytes of await Promise.all(connections))
    expect(bytes.split("HTTP/1.1 200").length).toBe(51);
  expect(answered).toBe(1_000);
  expect(most).toBeLessThanOrEqual(8);
});

it("bodies of requests that were sent ahead arrive whole and in order, wherever the reading of them stopped", async () => {
  const server = await startServer();
  const request = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    let body = "";
    incoming.on("data", (chunk: Buffer) => (body += chunk.toString()));
    incoming.on("end", () => {
      const answer = `${incoming.method} ${incoming.url} ${body.length} ${body.slice(-4)};`;
      send(outgoing, {
        status: 200,
        headers: ["Content-Length", String(answer.length)],
        body: answer,
      });
    });
  };
  server.handle({ request, refuse });
  const all = Array.from({ length: 300 }, (_, index) => {
    const body = `${"x".repeat((index * 37) % 2_000)}${1_000 + index}`;
    const head = `PUT /${index} HTTP/1.1\r\nHost: localhost\r\n`;
    const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const forms = [
      get(`/${index}`),
      `${head}Content-Length: ${body.length}\r\n\r\n${body}`,
      chunked,
    ];
    const answer =
      index % 3 === 0 ? `GET /${index} 0 ;` : `PUT /${index} ${body.length} ${1_000 + index};`;
    return { bytes: forms[index % 3] ?? "", answer };
  });
  const bytes = all.map((each) => each.bytes).join("");
  const answers = await exchangeBytes(server, bytes + get("/last", "Connection: close\r\n"));
  const bodies = [...answers.matchAll(/(?:GET|PUT) [^;]*;/g)].map(([body]) => body);
  expect(bodies).toEqual([...all.map(({ answer }) => answer), "GET /last 0 ;"]);
});

it("a server that stops cuts a connection of which it has read a part", async () => {
  const server = await startServer();
  const answers: ServerResponse[] = [];
  server.handle({ request: (_, outgoing) => void answers.push(outgoing), refuse });
  const socket = deaf(server);
  const ended = once(socket, "close");
  socket.write(get("/").repeat(100));
  await expect.poll(() => gauge(server, "httpAnswerBytes")).toBeGreaterThan(31 * 4_096);
  await server.close(0);
  socket.resume();
  await ended;
  expect(answers).toHaveLength(1);
});

it("of requests that take long, on many connections, one or two are begun in a turn, and health does not wait for them", async () => {
  const server = await startServer();
  let [turn, most, inTurn, lastTurn, health] = [0, 0, 0, -1, -1];
  let answered = 0;
  const clients = 40;
  const spin = (): void => {
    turn += 1;
    if (answered < clients) setImmediate(spin);
  };
  setImmediate(spin);
  const request = async ({ url }: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    if (url === "/healthz") health = answered;
    else if (url === "/long") {
      // Work that begins only once a promise has been kept.
      await Promise.resolve();
      answered += 1;
      inTurn = turn === lastTurn ? inTurn + 1 : 1;
      lastTurn = turn;
      most = Math.max(most, inTurn);
      const beganMs = systemClock.elapsedMs();
      while (systemClock.elapsedMs() - beganMs < 12);
    }
    send(outgoing, { status: 200, headers: ["Content-Length", "2"], body: "ok" });
  };
  server.handle({ request: (incoming, outgoing) => void request(incoming, outgoing), refuse });
  const sockets = Array.from({ length: clients }, () => connectTo(server));
  const asked = connectTo(server);
  const all = [...sockets, asked];
  // Newcomers are taken in one at a time anyway.
  for (const socket of all) socket.write(get("/short"));
  await Promise.all(all.map((socket) => once(socket, "data")));
  for (const socket of sockets) socket.write(get("/long", "Connection: close\r\n"));
  asked.write(get("/healthz", "Connection: close\r\n"));
  await Promise.all(all.map((socket) => once(socket.resume(), "close")));
  expect(answered).toBe(clients);
  expect(most).toBeLessThanOrEqual(2);
  expect(health).toBeLessThan(5);
});
