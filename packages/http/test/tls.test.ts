import { once } from "node:events";
import { request as secureRequest } from "node:https";
import {
  connect as connectSecurely,
  type ConnectionOptions,
  type SecureVersion,
  type TLSSocket,
} from "node:tls";

import type { Authority, MadeCertificate } from "@meridian/certificates/authority";
import { beforeAll, describe, expect, it } from "vitest";

import { problemAnswer, type HttpHandlers, type HttpServer } from "@meridian/http";

import { authority, between, certificateOf } from "./certificates.ts";
import { connectTo, exchangeBytes, levelOf, startServer } from "./harness.ts";

const handlers: HttpHandlers = {
  request: (incoming, outgoing) => {
    incoming.resume();
    incoming.on("end", () => outgoing.end(`${incoming.method} ${incoming.url}`));
  },
  upgrades: { "/link": (_, socket) => socket.end("taken") },
  refuse: problemAnswer,
};

/** Old versions need what OpenSSL takes for too weak by now. */
const OLD = { minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" } as const;

let root: Authority;
let own: MadeCertificate;

beforeAll(async () => {
  root = await authority("root");
  own = await certificateOf(root);
});

/** What a client that trusts only `ca` is answered. */
async function ask(server: HttpServer, path: string, ca = root.cert): Promise<string> {
  const asked = secureRequest(`${server.url}${path}`, { ca, agent: false });
  asked.end();
  const [answer] = await once(asked, "response");
  let text = "";
  for await (const chunk of answer) text += String(chunk);
  return text;
}

async function connectAs(server: HttpServer, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const { port } = server;
  const socket = connectSecurely({ port, host: "127.0.0.1", ca: root.cert, ...options });
  await once(socket, "secureConnect");
  return socket;
}

async function textOf(socket: TLSSocket, request: string): Promise<string> {
  socket.write(request);
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

async function serverWith(certificate: MadeCertificate & { clientCa?: string }) {
  const server = await startServer({ certificate });
  server.handle(handlers);
  return server;
}

describe("a server with a certificate", () => {
  it("answers over TLS, and says so in its URL", async () => {
    const server = await startServer({ certificate: own });
    expect(server.url).toBe(`https://127.0.0.1:${server.port}`);
    await expect(ask(server, "/a")).resolves.toContain("DIRECTORY_UNREACHABLE");
    server.handle(handlers);
    expect(await ask(server, "/a")).toBe("GET /a");
  });

  it("closes connections that speak no TLS", async () => {
    const server = await serverWith(own);
    expect(await exchangeBytes(server, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")).not.toContain(
      "GET /",
    );
  });

  it("speaks TLS 1.2 and 1.3, and nothing before", async () => {
    const server = await serverWith(own);
    const speaking = (maxVersion: SecureVersion): Promise<TLSSocket> =>
      connectAs(server, { ...OLD, maxVersion });
    for (const spoken of ["TLSv1.2", "TLSv1.3"] as const) {
      const socket = await speaking(spoken);
      expect(socket.getProtocol()).toBe(spoken);
      socket.destroy();
    }
    await expect(speaking("TLSv1.1")).rejects.toThrow(/alert protocol version/);
    server.reload(own);
    await expect(speaking("TLSv1.1")).rejects.toThrow(/alert protocol version/);
  });

  it("takes another certificate while it runs, and keeps its connections", async () => {
    const other = await authority("other");
    const server = await serverWith(own);
    const kept = await connectAs(server);
    server.reload(await certificateOf(other));
    expect(await ask(server, "/b", other.cert)).toBe("GET /b");
    await expect(ask(server, "/b")).rejects.toMatchObject({
      code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    });
    const request = "GET /kept HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    expect(await textOf(kept, request)).toContain("GET /kept");
  });

  it("refuses what is no certificate, and goes on with the one before", async () => {
    const server = await serverWith(own);
    const broken = { cert: "nonsense", key: own.key };
    const refusal = expect.objectContaining({
      code: "INVALID_CONFIG",
      message: expect.stringContaining("Expected a certificate and its key as PEM"),
    });
    expect(() => server.reload(broken)).toThrow(refusal);
    const { key } = await certificateOf(root);
    expect(() => server.reload({ cert: own.cert, key })).toThrow(refusal);
    await expect(startServer({ certificate: broken })).rejects.toEqual(refusal);
    expect(await ask(server, "/c")).toBe("GET /c");
    const plain = await startServer();
    expect(() => plain.reload(own)).toThrow("Expected a server with TLS, got a plain one");
  });
});

describe("a certificate that is not right", () => {
  it("is refused by clients", async () => {
    const middle = await between(root);
    const whole = await certificateOf(middle);
    const [leaf = ""] = whole.cert.split(/(?<=-----END CERTIFICATE-----\n)/);
    const cases: readonly [code: string, certificate: MadeCertificate][] = [
      ["CERT_HAS_EXPIRED", await certificateOf(root, { days: -1 })],
      ["ERR_TLS_CERT_ALTNAME_INVALID", await certificateOf(root, { hosts: ["b.example"] })],
      ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", await certificateOf(await authority("other"))],
      ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", { cert: leaf, key: whole.key }],
    ];
    for (const [code, certificate] of cases) {
      const server = await serverWith(certificate);
      await expect(ask(server, "/d")).rejects.toMatchObject({ code });
    }
    expect(await ask(await serverWith(whole), "/d")).toBe("GET /d");
  });
});

describe("a server that asks for certificates", () => {
  const LINK =
    "GET /link HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n";

  it("takes links only from who shows one of its authority, and serves everybody else's requests", async () => {
    const server = await serverWith({ ...own, clientCa: root.cert });
    const stranger = await certificateOf(await authority("other"));
    const expired = await certificateOf(root, { days: -1 });
    for (const [shown, said] of [
      [await certificateOf(root, { hosts: ["node"] }), "taken"],
      [undefined, "403 Forbidden"],
      [stranger, "403 Forbidden"],
      [expired, "403 Forbidden"],
    ] as const) {
      expect(await textOf(await connectAs(server, shown), LINK)).toContain(said);
    }
    expect(await ask(server, "/e")).toBe("GET /e");
  });

  it("takes no link of a session that began without one", async () => {
    const server = await serverWith({ ...own, clientCa: root.cert });
    const first = await connectAs(server);
    const [session] = (await Promise.all([
      once(first, "session"),
      textOf(first, LINK),
    ])) as unknown as [[Buffer], string];
    const second = await connectAs(server, { session: session[0] });
    expect(second.isSessionReused()).toBe(true);
    expect(await textOf(second, LINK)).toContain("403 Forbidden");
  });

  it("asks those of another authority once it has been told so", async () => {
    const [before, after] = [await authority("before"), await authority("after")];
    const server = await serverWith({ ...own, clientCa: before.cert });
    const certificate = await certificateOf(after);
    expect(await textOf(await connectAs(server, certificate), LINK)).toContain("403 Forbidden");
    server.reload({ ...own, clientCa: after.cert });
    expect(await textOf(await connectAs(server, certificate), LINK)).toContain("taken");
  });
});

describe("the connections of a server with a certificate", () => {
  it("hand WebSockets on, and serve other offers as if they had not been made", async () => {
    const server = await serverWith(own);
    for (const [target, protocol, says] of [
      ["/link", "websocket", "taken"],
      ["/other", "h2c", "GET /other"],
    ] as const) {
      const socket = await connectAs(server);
      const offer = `Connection: Upgrade, close\r\nUpgrade: ${protocol}\r\n`;
      const request = `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${offer}\r\n`;
      expect(await textOf(socket, request)).toContain(says);
    }
  });

  it("are no more than those of a plain one would be", async () => {
    const server = await startServer({ certificate: own, connectionsMax: 1 });
    server.handle(handlers);
    const first = await connectAs(server);
    const second = connectTo(server);
    await once(second, "close");
    const gauge = levelOf(server, "httpConnections");
    expect(gauge).toEqual({ name: "httpConnections", now: 1, max: 1 });
    first.destroy();
  });

  it("end where nobody shakes hands in time", async () => {
    const server = await startServer({ certificate: own, timeouts: { headersTimeout: 50 } });
    server.handle(handlers);
    const silent = connectTo(server);
    await once(silent, "close");
    expect(silent.bytesRead).toBe(0);
  });

  it("make room for who shakes hands, where they do not", async () => {
    const server = await startServer({ certificate: own, connectionsMax: 2 });
    server.handle(handlers);
    const silent = [connectTo(server), connectTo(server)];
    await Promise.all(silent.map((socket) => once(socket, "connect")));
    const gone = Promise.race(silent.map((socket) => once(socket, "close")));
    let answer = "";
    for (let attempt = 0; answer === "" && attempt < 10_000; attempt += 1) {
      answer = await ask(server, "/f").catch(() => "");
    }
    expect(answer).toBe("GET /f");
    await gone;
    for (const socket of silent) socket.destroy();
  });
});

describe("a server that others than this machine reach", () => {
  it.each(["0.0.0.0", "::"])("does not listen at %s without TLS, unless told to", async (host) => {
    await expect(startServer({ host })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringContaining("--insecure-no-tls"),
    });
    expect((await startServer({ host, insecure: true })).port).toBeGreaterThan(0);
    expect((await startServer({ host, certificate: own })).port).toBeGreaterThan(0);
  });
});
