/** `GET /nearest` below node:http passes the same gate, counts towards the same limits and in the same numbers as by node:http. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { RateLimits, SlowRequests } from "@meridian/http";
import { revocationKey } from "@meridian/protocol";
import { Histogram, Metrics, seededRandom, silentLogger, type LogFields } from "@meridian/runtime";
import { expectSameAnswers, httpConversations } from "@meridian/testkit";
import {
  createToken,
  makeSigningKey,
  publicKeysOf,
  Revocations,
  TokenVerifier,
} from "@meridian/tokens";
import fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";

import { manualClock } from "./members.ts";
import { askInTurn, bothWays } from "./plain-ways.ts";
import { CITIES, PARIS, serviceOf } from "./service.ts";

const HOUR_MS = 3_600_000;

/** A verifier, tokens for it, as headers, and a way to revoke them. */
async function tokensOf() {
  const clock = manualClock();
  const folder = mkdtempSync(join(tmpdir(), "meridian-nearest-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const key = await makeSigningKey();
  const path = join(folder, "keys.json");
  writeFileSync(path, JSON.stringify(publicKeysOf([key])));
  const shared = { clock, logger: silentLogger };
  const known = { ageMaxMs: 24 * HOUR_MS, knownAtMs: clock.nowMs() };
  const revocations = new Revocations({ ...known, ...shared });
  const verifier = await TokenVerifier.open({ path, cluster: "c", revocations, ...shared });
  const random = seededRandom(1);
  const make = async (scope: "read" | "node"): Promise<{ id: string; header: string }> => {
    const nowMs = clock.nowMs();
    const nodes = scope === "node" ? ["fra"] : [];
    const grant = { scope, prefixes: [""], nodes, subject: "s", cluster: "c" };
    const wish = { ...grant, nowMs, expiresAtMs: nowMs + HOUR_MS };
    const { token } = await createToken(key, wish, random);
    const { jti } = JSON.parse(
      Buffer.from(token.split(".")[1] ?? "", "base64url").toString(),
    ) as Readonly<Record<"jti", string>>;
    // From the first one on, a token is known.
    await verifier.verify(`Bearer ${token}`);
    return { id: jti, header: `Authorization: Bearer ${token}` };
  };
  const revoke = (id: string): void =>
    revocations.take([{ key: revocationKey(id), expiresAtMs: 0, deleted: false }]);
  return { verifier, make, revoke };
}

function nearestWith(header: string): string {
  return `GET /nearest?${PARIS} HTTP/1.1\r\nHost: localhost\r\n${header}\r\n\r\n`;
}

it("is let in and refused as by node:http, whatever comes", async () => {
  const { verifier, make } = await tokensOf();
  const [good, node] = [await make("read"), await make("node")];
  const ways = await bothWays(serviceOf(CITIES), serviceOf(CITIES), verifier);
  const plain = nearestWith(good.header);
  const conversations = httpConversations({
    targets: fc.constant(`/nearest?${PARIS}`),
    plainLines: [good.header, good.header, node.header],
    lines: ["Authorization: Bearer a.b.c", `${good.header}, x`, good.header.toUpperCase()],
    plain,
  });
  for (const parts of fc.sample(conversations, { seed: 7, numRuns: 40 })) {
    await expectSameAnswers(parts, ways.plain, ways.node);
  }
  expect(ways.reads()).toBeGreaterThan(0);
});

it("is refused from the next one on where its token is revoked", async () => {
  const { verifier, make, revoke } = await tokensOf();
  const { id, header } = await make("read");
  const ways = await bothWays(serviceOf(CITIES), serviceOf(CITIES), verifier);
  const ask = () =>
    Promise.all([ways.plain, ways.node].map((port) => askInTurn(port, [nearestWith(header)])));
  const [good, same] = await ask();
  expect(good?.[0]).toMatch(/^HTTP\/1.1 200/);
  expect(good).toEqual(same);
  expect(ways.reads()).toBe(1);
  revoke(id);
  const [bad, alike] = await ask();
  expect(bad?.[0]).toMatch(/^HTTP\/1.1 401/);
  expect(bad).toEqual(alike);
  expect(ways.reads()).toBe(1);
});

it("counts towards the limit of its token, and of its address where none is asked for", async () => {
  const { verifier, make } = await tokensOf();
  const { header } = await make("read");
  for (const authenticator of [verifier, undefined]) {
    const limited = () => {
      const rate = { perSecond: 1, burst: 3, clock: manualClock(), metrics: new Metrics() };
      return serviceOf(CITIES, { limits: new RateLimits(rate) });
    };
    const ways = await bothWays(limited(), limited(), authenticator);
    const asked = Array.from({ length: 5 }, () => nearestWith(header));
    for (const port of [ways.plain, ways.node]) {
      const statuses = (await askInTurn(port, asked)).map((answer) => answer.slice(9, 12));
      expect(statuses).toEqual(["200", "200", "200", "429", "429"]);
    }
    expect(ways.reads()).toBe(3);
  }
});

it("is counted by route and status, and told of where it is slow, with its trace", async () => {
  const told = () => {
    const lines: LogFields[] = [];
    const warn = (_: string, fields: LogFields = {}): void => void lines.push(fields);
    // Everything is slow.
    const slow = new SlowRequests(manualClock(), { ...silentLogger, warn }, -1);
    return { lines, service: serviceOf(CITIES, { slow }) };
  };
  const [first, second] = [told(), told()];
  const ways = await bothWays(first.service, second.service);
  const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const asked = nearestWith(`traceparent: 00-${trace}-00f067aa0ba902b7-01`);
  for (const port of [ways.plain, ways.node]) await askInTurn(port, [asked, asked]);
  expect(ways.reads()).toBe(2);
  const counts = [first, second].map(({ service: { metrics } }) => {
    const family = metrics.families().find(({ name }) => name === "meridian_http_request_seconds");
    const sample = family?.samples.find(({ labels }) => labels["route"] === "/nearest");
    const counted = sample?.value instanceof Histogram ? sample.value.counts : [];
    return [sample?.labels["status"], counted.reduce((sum, each) => sum + each, 0)];
  });
  expect(counts).toEqual([
    ["200", 2],
    ["200", 2],
  ]);
  expect(first.lines[0]).toMatchObject({ route: "/nearest", status: 200, traceId: trace });
  expect(first.lines).toEqual(second.lines);
});
