/** Sends every request of both programs with every kind of token, and compares the answers with the table of the API. */
import { writeFileSync } from "node:fs";
import { request as plainRequest, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { join } from "node:path";

import { connect } from "@meridian/client";
import { startDirectory } from "@meridian/directory";
import { request } from "@meridian/harness";
import {
  DIRECTORY_API,
  REGION_API,
  routesOf,
  type Access,
  type ApiTable,
  type PlacedRoute,
  type Scope,
} from "@meridian/protocol/http-api";
import { silentLogger, systemClock, type Logger } from "@meridian/runtime";
import { makeSigningKey, publicKeysOf, type SigningKey } from "@meridian/tokens";
import { describe, expect, it } from "vitest";

import { ask, HOUR_MS, idOf, startTokenCluster, type Told } from "../support/token-cluster.ts";

const { folder, keysFile, key, stranger, directory, region, tokenOf, revoke, onEnd } =
  await startTokenCluster();
/** A token of scope admin that has been revoked. */
const revoked = await tokenOf({ scope: "admin" });
await revoke(region, revoked);

const RANK = { public: 0, any: 1, node: 1, read: 2, write: 3, admin: 4 } as const;
const covers = (scope: Scope, access: Access): boolean => RANK[scope] >= RANK[access.scope];

/** `in` if the request was let in; otherwise the status and the challenge with which it was refused. */
function outcomeOf({ status, code, challenge }: Told): string {
  if (code === "UNAUTHENTICATED") return `${status} ${challenge}`;
  return code === "FORBIDDEN" ? `${status} ${challenge}` : "in";
}
const REFUSED = "401 Bearer";
const FORBIDDEN = "403 null";

function rowsOf(api: ApiTable): readonly (readonly [string, PlacedRoute])[] {
  return routesOf(api).map((route) => [`${route.method} ${route.path}`, route]);
}

async function expectTable(base: string, route: PlacedRoute): Promise<void> {
  const { access } = route;
  const isPublic = access.scope === "public";
  const nowMs = systemClock.nowMs();
  const past = { nowMs: nowMs - 2 * HOUR_MS, expiresAtMs: nowMs - HOUR_MS };
  const admin = { scope: "admin" } as const;
  const good = await tokenOf(admin);
  const bad: Readonly<Record<string, string | undefined>> = {
    no: undefined,
    malformed: "a.b.c",
    oversized: `${"a".repeat(5_000)}.b.c`,
    tampered: `${good.slice(0, -8)}AAAAAAAA`,
    unsigned: `${Buffer.from('{"alg":"none"}').toString("base64url")}.${good.split(".")[1]}.`,
    expired: await tokenOf({ ...admin, ...past }),
    revoked,
    "not yet good": await tokenOf({
      ...admin,
      nowMs: nowMs + HOUR_MS,
      expiresAtMs: nowMs + 2 * HOUR_MS,
    }),
    "of another key": await tokenOf(admin, stranger),
    "of another cluster": await tokenOf({ ...admin, cluster: "other" }),
  };
  for (const [kind, token] of Object.entries(bad)) {
    const outcome = outcomeOf(await ask(base, route, token));
    expect([kind, outcome]).toEqual([kind, isPublic ? "in" : REFUSED]);
  }
  const own = { prefixes: ["app1:"] };
  for (const scope of ["node", "read", "write", "admin"] as const) {
    const outcome = outcomeOf(await ask(base, route, await tokenOf({ scope })));
    expect([scope, outcome]).toEqual([scope, covers(scope, access) ? "in" : FORBIDDEN]);
  }
  for (const scope of ["read", "write"] as const) {
    const token = await tokenOf({ scope, ...own });
    const outcomes = [
      outcomeOf(await ask(base, route, token)),
      outcomeOf(await ask(base, route, token, "app2:k")),
    ];
    const mayOwn = covers(scope, access) && access.keys !== "all";
    const mayAll = covers(scope, access) && access.keys === undefined;
    const expected = [mayOwn, mayAll].map((may) => (may ? "in" : FORBIDDEN));
    expect([scope, outcomes]).toEqual([scope, expected]);
  }
}

describe("a region answers whom the table of its API says", () => {
  it.each(rowsOf(REGION_API))("%s", (_, route) => expectTable(region, route));
});

describe("a directory answers whom the table of its API says", () => {
  it.each(rowsOf(DIRECTORY_API))("%s", (_, route) => expectTable(directory, route));
});

/** Sends a request whose target no HTTP library would send. */
async function askRaw(base: string, target: string, token: string): Promise<string> {
  const { hostname, port } = new URL(base);
  const headers = { authorization: `Bearer ${token}` };
  const asked = plainRequest({ hostname, port, path: target, headers, agent: false });
  asked.end();
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of answer) text += String(chunk);
  return `${answer.statusCode} ${text}`;
}

describe("a token for a prefix", () => {
  it.each([
    "/cache/app2%3Ak",
    "/cache/%61pp2:k",
    "/cache?key=app2:k",
    "/cache?key=%61pp2:k",
    "/cache?k%65y=app2:k",
    "/cache?stale=true&key=app2:k",
    "/cache?key=app1:k&key=app2:k",
    "/cache?key=app2:k&key=app1:k",
    "/cache/app1:../app2:k",
    "/cache/app1:k/../../app2:k",
    "http://x/cache/app2:k",
    "/cache/app2:k?",
    "/cache/app2:k#app1:",
    "/keys",
    "/keys?prefix=app",
    "/keys?prefix=app2:",
    "/keys?prefix=app1:&prefix=",
    "/keys?prefix=",
    "//cache/app2:k",
  ])("reads nothing of others by %s", async (target) => {
    const writing = await tokenOf({ scope: "write" });
    await ask(region, { method: "PUT", path: "/cache/{key}" }, writing, "app2:k");
    const token = await tokenOf({ prefixes: ["app1:"] });
    expect(await askRaw(region, target, token)).toMatch(/^4\d\d .*"code"/);
  });

  it("lists and writes keys with its prefix only", async () => {
    const token = await tokenOf({ scope: "write", prefixes: ["app1:"] });
    await ask(region, { method: "PUT", path: "/cache/{key}" }, token, "app1:own");
    expect(await askRaw(region, "/keys?prefix=app1:o", token)).toContain('"app1:own"');
    expect(await askRaw(region, "/cache/app1:own", token)).toBe("200 value");
  });
});

describe("keys of tokens", () => {
  it("are exchanged while requests go on, and the tokens of a removed key are refused", async () => {
    const next = await makeSigningKey();
    const path = join(folder, "rotated.json");
    const write = (keys: readonly SigningKey[]): void =>
      writeFileSync(path, JSON.stringify(publicKeysOf(keys)));
    write([key]);
    const running = await startDirectory({
      cluster: "test",
      tokenKeys: path,
      logger: silentLogger,
      port: 0,
      data: join(folder, "rotated"),
    });
    onEnd(() => running.stop());
    const [before, after] = [await tokenOf(), await tokenOf({}, next)];
    const route = { method: "GET", path: "/nodes" };
    const codes = async (): Promise<readonly number[]> => [
      (await ask(running.url, route, before)).status,
      (await ask(running.url, route, after)).status,
    ];
    expect(await codes()).toEqual([200, 401]);
    write([next, key]);
    await running.reload();
    expect(await codes()).toEqual([200, 200]);
    writeFileSync(path, '{"keys":[{"kty":');
    await running.reload();
    expect(await codes()).toEqual([200, 200]);
    write([next]);
    await running.reload();
    expect(await codes()).toEqual([401, 200]);
  });

  it("are public keys: a file with a signing key is refused", async () => {
    const path = join(folder, "private.json");
    writeFileSync(path, JSON.stringify({ keys: [key] }));
    const started = startDirectory({
      tokenKeys: path,
      logger: silentLogger,
      port: 0,
      data: join(folder, "private"),
    });
    await expect(started).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringContaining("a private key does not belong there"),
    });
  });
});

describe("the SDK", () => {
  it("shows its token to directory and nodes, a new one for each request", async () => {
    let shown = 0;
    const token = (): Promise<string> => {
      shown += 1;
      return tokenOf({ scope: "write" });
    };
    const location = { lat: 1, lon: 2 };
    const client = await connect({ directory, location, token });
    await client.set("app1:sdk", "value");
    expect(await client.get("app1:sdk")).toBe("value");
    expect(shown).toBeGreaterThan(2);
    client.close();
    const bare = connect({ directory, location, deadlineMs: 1_000 });
    await expect(bare).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  });
});

it("a request of scope admin leaves a line with the token's id, and no token stands in a log", async () => {
  const lines: string[] = [];
  const log = (message: string, fields: object = {}): void =>
    void lines.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const data = join(folder, "audited");
  const running = await startDirectory({
    cluster: "test",
    tokenKeys: keysFile,
    port: 0,
    data,
    logger,
  });
  onEnd(() => running.stop());
  const route = { method: "DELETE", path: "/nodes/{id}" };
  const [admin, writer] = [await tokenOf({ scope: "admin" }), await tokenOf({ scope: "write" })];
  expect((await ask(running.url, route, admin)).code).toBe("NODE_NOT_FOUND");
  expect((await ask(running.url, route, writer)).code).toBe("FORBIDDEN");
  const path = "/nodes/nobody";
  const fields = { method: "DELETE", path, token: idOf(admin), subject: "test" };
  const audited = lines.filter((line) => line.startsWith("a request of scope admin"));
  expect(audited).toEqual([`a request of scope admin ${JSON.stringify(fields)}`]);
  for (const token of [admin, writer]) {
    expect(lines.join("\n")).not.toContain(token.split(".")[2]);
  }
});

describe("a client that asks too often", () => {
  const common = { cluster: "test", logger: silentLogger, port: 0 };
  const statusOf = async (url: string, token?: string): Promise<string> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await request(url, { headers });
    const { code = "" } = (await answer.json()) as { readonly code?: string };
    return `${answer.status} ${code} ${answer.headers.get("retry-after") ?? ""}`.trim();
  };

  it("gets 429 with `Retry-After`, while others are answered", async () => {
    const data = join(folder, "limited");
    const limits = { rateLimit: 1, rateBurst: 3 };
    const running = await startDirectory({ ...common, ...limits, tokenKeys: keysFile, data });
    onEnd(() => running.stop());
    const url = `${running.url}/nodes`;
    const [token, other] = [await tokenOf(), await tokenOf()];
    for (let each = 0; each < 3; each += 1) expect(await statusOf(url, token)).toBe("200");
    expect(await statusOf(url, token)).toBe("429 RATE_LIMITED 1");
    expect(await statusOf(url, other)).toBe("200");
    expect(await statusOf(`${running.url}/healthz`)).toBe("200");
  });

  it("is known by its address if no tokens are demanded", async () => {
    const data = join(folder, "limited-openly");
    const running = await startDirectory({ ...common, rateLimit: 1, rateBurst: 2, data });
    onEnd(() => running.stop());
    const told = [];
    for (let each = 0; each < 3; each += 1) told.push(await statusOf(`${running.url}/nodes`));
    expect(told).toEqual(["200", "200", "429 RATE_LIMITED 1"]);
    expect(await statusOf(`${running.url}/status`)).toBe("200");
  });

  it("is locked out after many bad tokens, while verified tokens of its address still work", async () => {
    const data = join(folder, "locking");
    const running = await startDirectory({ ...common, tokenKeys: keysFile, data });
    onEnd(() => running.stop());
    const url = `${running.url}/nodes`;
    const [known, late] = [await tokenOf(), await tokenOf()];
    expect(await statusOf(url, known)).toBe("200");
    const told = new Set<string>();
    for (let each = 0; each < 25; each += 1) told.add(await statusOf(url, "a.b.c"));
    expect([...told]).toEqual(["401 UNAUTHENTICATED", "429 RATE_LIMITED 1"]);
    expect(await statusOf(url, known)).toBe("200");
    expect(await statusOf(url)).toBe("401 UNAUTHENTICATED");
    expect(await statusOf(url, late)).toBe("429 RATE_LIMITED 1");
    // The next two come from another address, and without waiting.
    expect((await ask(running.url, { method: "GET", path: "/nodes" }, late)).status).toBe(200);
    const headers = { authorization: `Bearer ${known}` };
    const counts = await (await request(`${running.url}/metrics`, { headers })).text();
    expect(counts).toMatch(/http_request_seconds_count\{.*route="\/nodes",status="401"\} 2[12]\n/);
    expect(counts).toMatch(/http_request_seconds_count\{.*route="\/nodes",status="429"\} [56]\n/);
  });
});

it("a program that listens beyond loopback needs token keys, unless it is told to do without", async () => {
  const options = { host: "0.0.0.0", insecureNoTls: true, port: 0, logger: silentLogger };
  const data = join(folder, "exposed");
  await expect(startDirectory({ ...options, data })).rejects.toMatchObject({
    code: "INVALID_CONFIG",
    message: expect.stringContaining("--insecure-no-tokens"),
  });
  const open = await startDirectory({ ...options, data, insecureNoTokens: true });
  await open.stop();
});
