import { once } from "node:events";
import { readFileSync } from "node:fs";

import { MeridianError } from "@meridian/protocol";
import { Metrics, systemClock, silentLogger } from "@meridian/runtime";
import { describe, expect, it, onTestFinished } from "vitest";

import { HttpServer, problemAnswer, type HttpHandlers } from "@meridian/http";

import { connectTo, exchangeBytes, startServer } from "./harness.ts";

/** Tells what it was asked, and echoes the body. */
const echo: HttpHandlers = {
  request: (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const offer = incoming.headers.upgrade ?? "no offer";
      outgoing.end(
        `${incoming.method} ${incoming.url} ${offer} ${Buffer.concat(chunks).toString()}`,
      );
    });
  },
  refuse: problemAnswer,
};

/** The lowest port that needs no privilege: 1024, unless this machine has been told otherwise. */
function lowestPortOfAll(): number {
  try {
    return Number(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8"));
  } catch {
    return 1_024;
  }
}

describe("an HTTP server", () => {
  it("answers 503 until it is told how to answer", async () => {
    const server = await startServer();
    const response = await fetch(`${server.url}/nearest?lat=0&lon=0`);
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await response.json()).toMatchObject({ code: "DIRECTORY_UNREACHABLE" });
  });

  it("closes though a client keeps its connection and never asks", async () => {
    const server = await startServer();
    const socket = connectTo(server);
    await once(socket, "connect");
    const cut = once(socket, "close");
    const { url } = server;
    await Promise.all([server.close(1_000), cut]);
    await expect(fetch(url)).rejects.toThrow("fetch failed");
  });

  it("says where it is reached, for every address of this machine too", async () => {
    for (const [host, reached] of [
      ["127.0.0.1", "127.0.0.1"],
      ["0.0.0.0", "127.0.0.1"],
      ["localhost", expect.stringMatching(/^(127\.0\.0\.1|\[::1\])$/)],
    ]) {
      const server = await listenOn(String(host), 0, { insecure: true });
      const { hostname, protocol, port } = new URL(server.url);
      expect([protocol, hostname]).toEqual(["http:", reached]);
      expect(Number(port)).toBe(server.port);
      server.handle(echo);
      expect((await fetch(server.url)).status).toBe(200);
      await server.close(0);
    }
  });

  it("says what is wrong with an address that it cannot have", async () => {
    const { port } = await startServer();
    await expect(listenOn("127.0.0.1", port)).rejects.toMatchObject({
      code: "ADDRESS_IN_USE",
      message: `Expected 127.0.0.1:${port} to be free, but another program listens there; stop it, or choose another port with --port`,
    });
    await expect(listenOn("192.0.2.1", 0)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringContaining("Expected an address of this machine in --host"),
    });
  });

  it.skipIf(lowestPortOfAll() <= 1)("says which ports need a privilege", async () => {
    if (process.getuid?.() === 0) {
      process.seteuid?.("nobody");
      onTestFinished(() => process.seteuid?.(0));
    }
    await expect(listenOn("127.0.0.1", 1)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringContaining("ports below 1024 need a privilege"),
    });
  });
});

describe("an HTTP server that has nobody who answers", () => {
  it("says that it lives before it is told how to answer, and while it rests", async () => {
    const server = await startServer();
    const ask = async (path: string, method: string): Promise<unknown> => {
      const response = await fetch(`${server.url}${path}`, { method });
      return [response.status, await response.text()];
    };
    const states = [
      () => {},
      () =>
        server.handle({ request: (_, outgoing) => outgoing.end("served"), refuse: problemAnswer }),
      () => server.rest(),
    ];
    const alive: unknown[] = [];
    for (const become of states) {
      become();
      alive.push(await ask("/healthz?deep=1", "GET"), await ask("/healthz", "HEAD"));
    }
    const ok = [200, '{"status":"ok"}'];
    expect(alive).toEqual([ok, [200, ""], [200, "served"], [200, ""], ok, [200, ""]]);
    expect([await ask("/readyz", "HEAD"), await ask("/healthz/", "HEAD")]).toEqual([
      [503, ""],
      [503, ""],
    ]);
    expect(await ask("/healthz", "POST")).toMatchObject([503, expect.any(String)]);
  });
});

describe("what comes behind a request", () => {
  it("takes its answer from it neither where it is malformed nor where it is one too many", async () => {
    const server = await startServer();
    server.handle({
      // Answers late.
      request: (_, outgoing) => void setImmediate(() => outgoing.end("answered")),
      refuse: problemAnswer,
    });
    const whole = "GET / HTTP/1.1\r\nHost: localhost\r\n";
    const malformed = await exchangeBytes(server, `${whole}\r\nnonsense\r\n\r\n`);
    expect(malformed.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 400"]);
    const late = await exchangeBytes(server, `${whole}Connection: close\r\n\r\n${whole}\r\n`);
    expect(late.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200"]);
  });
});

describe("a request that offers another protocol", () => {
  const upgrades = { "/link": (_: unknown, socket: NodeJS.WritableStream) => socket.end("taken") };

  it("is served as if it had not, with its body, and the connection goes on", async () => {
    const server = await startServer();
    server.handle({ ...echo, upgrades });
    const offer =
      "Host: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n";
    const bytes = await exchangeBytes(
      server,
      `PUT /a?b HTTP/1.1\r\n${offer}Content-Length: 4\r\n\r\nbody` +
        `GET /link HTTP/1.1\r\n${offer}\r\n` +
        `POST /c HTTP/1.1\r\n${offer}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n` +
        "GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n",
    );
    expect(bytes).toContain("GET /last");
    const bodies = bytes
      .split(/HTTP\/1\.1 200 OK[^]*?\r\n\r\n/)
      .map((each) => each.replace(/^\w+\r\n|\r\n0\r\n\r\n$/g, ""));
    expect(bodies).toEqual([
      "",
      "PUT /a?b no offer body",
      "GET /link no offer ",
      "POST /c no offer abc",
      "GET /last no offer ",
    ]);
  });

  it("goes to whoever takes WebSockets on its path", async () => {
    const server = await startServer();
    server.handle({ ...echo, upgrades });
    const offer = "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n";
    expect(await exchangeBytes(server, `GET /link?x HTTP/1.1\r\n${offer}`)).toBe("taken");
    const other = `GET /other HTTP/1.1\r\n${offer.replace("Upgrade\r\n", "Upgrade, close\r\n")}`;
    expect(await exchangeBytes(server, other)).toContain("GET /other no offer");
  });
});

async function listenOn(
  host: string,
  port: number,
  { insecure = false } = {},
): Promise<HttpServer> {
  const starting = new MeridianError("DIRECTORY_UNREACHABLE", "Not yet");
  const metrics = new Metrics();
  const server = new HttpServer({
    clock: systemClock,
    logger: silentLogger,
    metrics,
    connectionsMax: 10,
    starting,
    insecure,
  });
  await server.listen(host, port);
  return server;
}
