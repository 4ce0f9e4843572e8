/** Reads and writes below node:http pass the same gate, count towards the same limits, and are told of in the same numbers and lines. */
import { connect, type Socket } from "node:net";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { SlowRequests } from "@meridian/http";
import { revocationKey } from "@meridian/protocol";
import type { Scope } from "@meridian/protocol/http-api";
import { Histogram, Metrics, seededRandom, silentLogger, type LogFields } from "@meridian/runtime";
import {
  createToken,
  makeSigningKey,
  publicKeysOf,
  Revocations,
  TokenVerifier,
  type SigningKey,
} from "@meridian/tokens";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";

import { HttpListener, type HttpListenerOptions } from "../src/listeners/http/http-listener.ts";
import { exchangeBytes, testNode, type TestNode } from "./harness.ts";

const HOUR_MS = 3_600_000;
const random = seededRandom(1);

let region: TestNode;
let key: SigningKey;
let revocations: Revocations;
let verifier: TokenVerifier;

beforeEach(async () => {
  region = await testNode();
  const { clock } = region;
  for (const name of ["k", "mine%3Ak"]) {
    await region.request(`/cache/${name}`, { method: "PUT", body: "value" });
  }
  const folder = mkdtempSync(join(tmpdir(), "meridian-plain-"));
  onTestFinished(async () => {
    await region.close();
    rmSync(folder, { recursive: true });
  });
  key = await makeSigningKey();
  const path = join(folder, "keys.json");
  writeFileSync(path, JSON.stringify(publicKeysOf([key])));
  const known = { ageMaxMs: 24 * HOUR_MS, knownAtMs: clock.nowMs() };
  revocations = new Revocations({ ...known, clock, logger: silentLogger });
  verifier = await TokenVerifier.open({
    path,
    cluster: "c",
    revocations,
    clock,
    logger: silentLogger,
  });
});

interface Made {
  readonly id: string;
  readonly header: string;
}

async function token(scope: Scope = "read", prefixes: readonly string[] = [""]): Promise<Made> {
  const nowMs = region.clock.nowMs();
  const nodes = scope === "node" ? ["fra"] : [];
  const grant = { scope, prefixes, nodes, subject: "s", cluster: "c" };
  const wish = { ...grant, nowMs, expiresAtMs: nowMs + HOUR_MS };
  const { token: text } = await createToken(key, wish, random);
  const { jti } = JSON.parse(Buffer.from(text.split(".")[1] ?? "", "base64url").toString()) as {
    jti: string;
  };
  return { id: jti, header: `Authorization: Bearer ${text}\r\n` };
}

interface Served {
  readonly listener: HttpListener;
  readonly port: number;
  readonly metrics: Metrics;
  readonly lines: LogFields[];
}

/** A listener that reads below node:http, and one that does not. */
async function both(options: Partial<HttpListenerOptions> = {}): Promise<readonly Served[]> {
  return Promise.all(
    [true, false].map(async (plainReads) => {
      const metrics = new Metrics();
      const lines: LogFields[] = [];
      const logger = {
        ...silentLogger,
        warn: (_: string, fields: LogFields = {}) => lines.push(fields),
      };
      const { clock } = region;
      // Everything is slow.
      const slow = new SlowRequests(clock, logger, -1);
      const bounds = { connectionsMax: 100, allowOrigin: [] };
      const served = { clock, metrics, logger, slow, plainReads, ...bounds, ...options };
      const listener = new HttpListener(served);
      await listener.listen("127.0.0.1", 0);
      listener.start(region.node);
      onTestFinished(() => listener.stop());
      return { listener, port: listener.port, metrics, lines };
    }),
  );
}

/** Asks again and again over one connection. */
class Asker {
  readonly #socket: Socket;
  #text = "";

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.on("data", (chunk: Buffer) => (this.#text += chunk.toString("latin1")));
    this.#socket.on("error", () => {});
    onTestFinished(() => void this.#socket.destroy());
  }

  /** Sends a read, and returns its answer without its date. */
  ask(lines: string, path = "k"): Promise<string> {
    return this.#exchange(`GET /cache/${path} HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n`);
  }

  /**
   * Sends a write, and returns its answer without its date, and without the stamp and the place that it got. Where a refusal ends the connection, the
   * place of that header tells how much of the body was parsed by then: it comes last.
   */
  async put(lines: string, path = "k"): Promise<string> {
    const answer = await this.#exchange(putOf(lines, path));
    const varying = /"etag":"[^,]*|\r\nETag: [^\r]*|\r\nMeridian-Position: [^\r]*/g;
    const [head = "", ...rest] = answer.replaceAll(varying, "").split("\r\nConnection: close");
    return head + rest.join("") + (rest.length === 0 ? "" : "\r\nConnection: close");
  }

  /** Sends a write whose answer is not waited for. */
  begin(lines: string, path = "k"): void {
    this.#socket.write(putOf(lines, path));
  }

  /** Resolves once the connection is gone. */
  async gone(): Promise<void> {
    await vi.waitUntil(() => this.#socket.destroyed, PATIENT);
  }

  async #exchange(bytes: string): Promise<string> {
    const from = this.#text.length;
    this.#socket.write(bytes);
    const isWhole = (): boolean => /^HTTP\/1\.1 \d+[^]*\r\n\r\n./.test(this.#text.slice(from));
    await vi.waitUntil(isWhole, PATIENT);
    return this.#text.slice(from).replace(/\r\nDate: [^\r]*/, "");
  }
}

const PATIENT = { timeout: 10_000, interval: 5 };

const putOf = (lines: string, path: string): string =>
  `PUT /cache/${path} HTTP/1.1\r\nHost: localhost\r\n${lines}Content-Length: 3\r\n\r\nabc`;

const statusOf = (answer: string): string => answer.slice(9, 12);

/** How many requests of `GET /cache/{key}` were counted, by status. */
function countsOf({ metrics }: Served): Record<string, number> {
  const family = metrics.families().find(({ name }) => name === "meridian_http_request_seconds");
  const counts: Record<string, number> = {};
  for (const { labels, value } of family?.samples ?? []) {
    if (!(value instanceof Histogram) || labels["route"] !== "/cache/{key}") continue;
    counts[`${labels["method"]} ${labels["status"]}`] = value.counts.reduce((sum, n) => sum + n, 0);
  }
  return counts;
}

describe("a read below node:http", () => {
  it("is let in and refused as by node:http", async () => {
    const [good, mine, node] = [
      await token(),
      await token("write", ["mine:"]),
      await token("node"),
    ];
    const listeners = await both({ authenticator: verifier });
    // Once verified, a token is known to both.
    for (const { header } of [good, mine, node])
      await new Asker(listeners[0]?.port ?? 0).ask(header);
    const told = await Promise.all(
      listeners.map(async ({ port }) => {
        const asked = [
          await new Asker(port).ask(good.header),
          await new Asker(port).ask(mine.header, "mine%3Ak"),
          await new Asker(port).ask(mine.header),
          await new Asker(port).ask(node.header),
          await new Asker(port).ask(""),
          await new Asker(port).ask("Authorization: Bearer a.b.c\r\n"),
        ];
        return asked;
      }),
    );
    expect(told[0]?.map(statusOf)).toEqual(["200", "200", "403", "403", "401", "401"]);
    expect(told[0]).toEqual(told[1]);
  });

  it("names its key under a path whose case counts, so that no token reads or writes past its prefixes", async () => {
    const { header } = await token("write", ["mine:"]);
    for (const { port } of await both({ authenticator: verifier })) {
      for (const path of ["/CACHE/k", "/Cache/k", "/cachE/k"]) {
        for (const method of ["GET", "PUT", "HEAD", "DELETE"]) {
          const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${header}`;
          const answer = await exchangeBytes(port, `${head}Content-Length: 0\r\n\r\n`);
          expect([method, path, statusOf(answer)]).toEqual([method, path, "404"]);
        }
      }
    }
    expect(await (await region.request("/cache/k")).text()).toBe("value");
  });

  it("is refused from the next one on where its token is revoked, or expires", async () => {
    const [good, whole] = [await token(), await token("admin")];
    const listeners = await both({ authenticator: verifier });
    for (const { header } of [good, whole]) await new Asker(listeners[0]?.port ?? 0).ask(header);
    const kept = listeners.map(({ port }) => new Asker(port));
    const askAll = (header: string): Promise<string[]> =>
      Promise.all(kept.map(async (asker) => statusOf(await asker.ask(header))));
    expect(await askAll(good.header)).toEqual(["200", "200"]);
    revocations.take([{ key: revocationKey(good.id), expiresAtMs: 0, deleted: false }]);
    expect(await askAll(good.header)).toEqual(["401", "401"]);
    const others = listeners.map(({ port }) => new Asker(port));
    await new Asker(listeners[0]?.port ?? 0).ask(whole.header);
    for (const asker of others) expect(statusOf(await asker.ask(whole.header))).toBe("200");
    region.clock.advance(2 * HOUR_MS);
    for (const asker of others) expect(statusOf(await asker.ask(whole.header))).toBe("401");
  });
});

describe("reads below node:http", () => {
  it("count towards the limit of their token, and of their address where none is asked for", async () => {
    const { header } = await token();
    for (const authenticator of [verifier, undefined]) {
      const listeners = await both({ authenticator, rateLimit: 1, rateBurst: 4 });
      await verifier.verify(header.slice("Authorization: ".length, -2));
      for (const { port } of listeners) {
        const asker = new Asker(port);
        const statuses: string[] = [];
        // What is not there is asked for over another connection, and counts as well.
        statuses.push(statusOf(await new Asker(port).ask(header, "missing")));
        for (let read = 0; read < 5; read += 1) statuses.push(statusOf(await asker.ask(header)));
        expect(statuses).toEqual(["404", "200", "200", "200", "429", "429"]);
      }
    }
  });

  it("are counted by route and status, and told of where they are slow, with their trace", async () => {
    const listeners = await both();
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (const { port } of listeners) {
      const asker = new Asker(port);
      for (let read = 0; read < 3; read += 1) {
        await asker.ask(`traceparent: 00-${trace}-00f067aa0ba902b7-01\r\n`);
      }
      await asker.ask("", "missing");
    }
    const [read, expected] = listeners;
    expect(read?.lines).toEqual(expected?.lines);
    expect(read?.lines[0]).toEqual({
      method: "GET",
      route: "/cache/{key}",
      status: 200,
      ms: 0,
      traceId: trace,
    });
    expect(read && countsOf(read)).toEqual({ "GET 200": 3, "GET 404": 1 });
    expect(expected && countsOf(expected)).toEqual({ "GET 200": 3, "GET 404": 1 });
  });
});

/** Requests under way at a listener. */
const underWay = ({ metrics }: Served): number | undefined =>
  metrics.levels().find(({ name }) => name === "httpRequests")?.now;

describe("a write below node:http", () => {
  it("is let in and refused as by node:http", async () => {
    const [good, mine, reader, node] = [
      await token("write"),
      await token("write", ["mine:"]),
      await token("read"),
      await token("node"),
    ];
    const listeners = await both({ authenticator: verifier });
    // Once verified, a token is known to both.
    for (const { header } of [good, mine, reader, node])
      await new Asker(listeners[0]?.port ?? 0).ask(header);
    const told = await Promise.all(
      listeners.map(async ({ port }) => [
        await new Asker(port).put(good.header),
        await new Asker(port).put(good.header, "k?ttl=1h"),
        await new Asker(port).put(mine.header, "mine%3Ak"),
        await new Asker(port).put(mine.header),
        await new Asker(port).put(reader.header),
        await new Asker(port).put(node.header),
        await new Asker(port).put(""),
        await new Asker(port).put("Authorization: Bearer a.b.c\r\n"),
      ]),
    );
    expect(told[0]?.map(statusOf).join()).toBe("200,200,200,403,403,403,401,401");
    expect(told[0]).toEqual(told[1]);
  });

  it("is cut while it is under way where its token is revoked, and counts as a request until then", async () => {
    const good = await token("write");
    const listeners = await both({ authenticator: verifier });
    await new Asker(listeners[0]?.port ?? 0).ask(good.header);
    const stall = region.stall();
    const askers = listeners.map(({ port }) => new Asker(port));
    for (const asker of askers) asker.begin(good.header);
    for (const listener of listeners) {
      await expect.poll(() => underWay(listener), PATIENT).toBe(1);
      expect(listener.listener.requests).toBe(1);
    }
    revocations.take([{ key: revocationKey(good.id), expiresAtMs: 0, deleted: false }]);
    for (const asker of askers) await asker.gone();
    for (const listener of listeners) expect(underWay(listener)).toBe(0);
    stall.end();
  });

  it("is answered before its listener has drained", async () => {
    for (const served of await both()) {
      const stall = region.stall();
      const asker = new Asker(served.port);
      const answer = asker.put("");
      await expect.poll(() => underWay(served), PATIENT).toBe(1);
      const drained = served.listener.drain();
      stall.end();
      await drained;
      expect(statusOf(await answer)).toBe("200");
    }
  });
});

describe("writes below node:http", () => {
  it("count towards the limit of their token, and of their address where none is asked for", async () => {
    const { header } = await token("write");
    for (const authenticator of [verifier, undefined]) {
      const listeners = await both({ authenticator, rateLimit: 1, rateBurst: 4 });
      await verifier.verify(header.slice("Authorization: ".length, -2));
      for (const { port } of listeners) {
        const asker = new Asker(port);
        const statuses: string[] = [];
        // What is refused counts as well.
        statuses.push(statusOf(await asker.put(header, "k?ttl=x")));
        for (let write = 0; write < 5; write += 1) statuses.push(statusOf(await asker.put(header)));
        expect(statuses).toEqual(["400", "200", "200", "200", "429", "429"]);
      }
    }
  });

  it("are counted by route and status, and told of where they are slow, with their trace", async () => {
    const listeners = await both();
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (const { port } of listeners) {
      const asker = new Asker(port);
      for (let write = 0; write < 3; write += 1) {
        await asker.put(`traceparent: 00-${trace}-00f067aa0ba902b7-01\r\n`);
      }
      await asker.put("", "k?ttl=x");
    }
    const [written, expected] = listeners;
    expect(written?.lines).toEqual(expected?.lines);
    expect(written?.lines[0]).toEqual({
      method: "PUT",
      route: "/cache/{key}",
      status: 200,
      ms: 0,
      traceId: trace,
    });
    expect(written && countsOf(written)).toEqual({ "PUT 200": 3, "PUT 400": 1 });
    expect(expected && countsOf(expected)).toEqual({ "PUT 200": 3, "PUT 400": 1 });
  });
});
