import { once } from "node:events";
import { request as secureRequest } from "node:https";
import { connect as connectSecurely, type TLSSocket } from "node:tls";

import { describe, expect, it } from "vitest";

import {
  problemAnswer,
  type Certificate,
  type HttpHandlers,
  type HttpServer,
} from "@meridian/http";

import { hasOpenssl, selfSigned } from "./certificates.ts";
import { connectTo, exchangeBytes, startServer } from "./harness.ts";

const handlers: HttpHandlers = {
  request: (incoming, outgoing) => {
    incoming.resume();
    incoming.on("end", () => outgoing.end(`${incoming.method} ${incoming.url}`));
  },
  upgrades: { "/link": (_, socket) => socket.end("taken") },
  refuse: problemAnswer,
};

/** What a client that trusts only `certificate` is answered. */
async function ask(server: HttpServer, certificate: Certificate, path: string): Promise<string> {
  const asked = secureRequest(`${server.url}${path}`, { ca: certificate.cert, agent: false });
  asked.end();
  const [answer] = await once(asked, "response");
  let text = "";
  for await (const chunk of answer) text += String(chunk);
  return text;
}

async function connectAs(server: HttpServer, certificate: Certificate): Promise<TLSSocket> {
  const socket = connectSecurely({ port: server.port, host: "127.0.0.1", ca: certificate.cert });
  await once(socket, "secureConnect");
  return socket;
}

describe.skipIf(!hasOpenssl)("a server with a certificate (made by openssl)", () => {
  it("answers over TLS, and says so in its URL", async () => {
    const certificate = selfSigned("one");
    const server = await startServer({ certificate });
    expect(server.url).toBe(`https://127.0.0.1:${server.port}`);
    await expect(ask(server, certificate, "/a")).resolves.toContain("DIRECTORY_UNREACHABLE");
    server.handle(handlers);
    expect(await ask(server, certificate, "/a")).toBe("GET /a");
  });

  it("closes connections that speak no TLS", async () => {
    const server = await startServer({ certificate: selfSigned("one") });
    server.handle(handlers);
    expect(await exchangeBytes(server, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")).not.toContain(
      "GET /",
    );
  });

  it("takes another certificate while it runs, and keeps its connections", async () => {
    const [one, two] = [selfSigned("one"), selfSigned("two")];
    const server = await startServer({ certificate: one });
    server.handle(handlers);
    const kept = await connectAs(server, one);
    server.reload(two);
    expect(await ask(server, two, "/b")).toBe("GET /b");
    await expect(ask(server, one, "/b")).rejects.toThrow(/self-signed certificate/);
    kept.write("GET /kept HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let text = "";
    for await (const chunk of kept) text += String(chunk);
    expect(text).toContain("GET /kept");
  });

  it("refuses what is no certificate, and goes on with the one before", async () => {
    const certificate = selfSigned("one");
    const server = await startServer({ certificate });
    server.handle(handlers);
    const broken = { cert: "nonsense", key: certificate.key };
    const refusal = expect.objectContaining({
      code: "INVALID_CONFIG",
      message: expect.stringContaining("Expected a certificate and its key as PEM"),
    });
    expect(() => server.reload(broken)).toThrow(refusal);
    const other = { cert: certificate.cert, key: selfSigned("two").key };
    expect(() => server.reload(other)).toThrow(refusal);
    await expect(startServer({ certificate: broken })).rejects.toEqual(refusal);
    expect(await ask(server, certificate, "/c")).toBe("GET /c");
    const plain = await startServer();
    expect(() => plain.reload(certificate)).toThrow("Expected a server with TLS, got a plain one");
  });
});

describe.skipIf(!hasOpenssl)("the connections of a server with a certificate", () => {
  it("hand WebSockets on, and serve other offers as if they had not been made", async () => {
    const certificate = selfSigned("one");
    const server = await startServer({ certificate });
    server.handle(handlers);
    for (const [target, protocol, says] of [
      ["/link", "websocket", "taken"],
      ["/other", "h2c", "GET /other"],
    ]) {
      const socket = await connectAs(server, certificate);
      const offer = `Connection: Upgrade, close\r\nUpgrade: ${protocol}\r\n`;
      socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n${offer}\r\n`);
      let text = "";
      for await (const chunk of socket) text += String(chunk);
      expect(text).toContain(says);
    }
  });

  it("are no more than those of a plain one would be", async () => {
    const certificate = selfSigned("one");
    const server = await startServer({ certificate, connectionsMax: 1 });
    server.handle(handlers);
    const first = await connectAs(server, certificate);
    const second = connectTo(server);
    await once(second, "close");
    const gauge = server.gauges().find(({ name }) => name === "httpConnections");
    expect(gauge).toEqual({ name: "httpConnections", now: 1, max: 1 });
    first.destroy();
  });
});
