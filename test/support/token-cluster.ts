/** Starts a directory and a region that demand tokens, for the tests of one file; and makes tokens of every kind. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startDirectory } from "@meridian/directory";
import { request, startSmallRegion, until } from "@meridian/harness";
import { VIEW_PREFIX, type PlacedRoute, type Scope } from "@meridian/protocol/http-api";
import { silentLogger, systemClock, systemRandom, type Clock } from "@meridian/runtime";
import {
  createToken,
  makeSigningKey,
  publicKeysOf,
  type SigningKey,
  type TokenWish,
} from "@meridian/tokens";
import { Agent, fetch } from "undici";
import { afterAll } from "vitest";

export const HOUR_MS = 3_600_000;

/** The programs, and what tests need to make, revoke and store tokens. */
export interface TokenCluster {
  readonly folder: string;
  readonly keysFile: string;
  readonly key: SigningKey;
  /** A signing key that the programs do not trust. */
  readonly stranger: SigningKey;
  /** The URLs of the programs. */
  readonly directory: string;
  readonly region: string;
  readonly tokenOf: (wish?: Partial<TokenWish>, signing?: SigningKey) => Promise<string>;
  /** Revokes a token, and waits until the directory has the revocation. */
  readonly revoke: (base: string, token: string) => Promise<void>;
  /** Writes a token to a new file, and returns the file's path. */
  readonly fileOf: (token: string) => string;
  /** Registers a function that is called after the tests, in the reverse order of registration. */
  readonly onEnd: (stop: () => Promise<void>) => void;
}

/** Starts the programs, which stop after the tests of the file, by a clock of their own or the platform's. */
export async function startTokenCluster(clock: Clock = systemClock): Promise<TokenCluster> {
  const folder = mkdtempSync(join(tmpdir(), "meridian-tokens-"));
  const stops: (() => Promise<void>)[] = [];
  afterAll(async () => {
    for (const stop of stops) await stop();
    rmSync(folder, { recursive: true });
  });
  const onEnd = (stop: () => Promise<void>): void => void stops.unshift(stop);
  const keysFile = join(folder, "token-keys.json");
  const [key, stranger] = [await makeSigningKey(), await makeSigningKey()];
  writeFileSync(keysFile, JSON.stringify(publicKeysOf([key])));
  const tokenOf: TokenCluster["tokenOf"] = async (wish = {}, signing = key) =>
    (await createToken(signing, wishOf(wish, clock.nowMs()), systemRandom)).token;
  const fileOf = (token: string): string => {
    const path = join(folder, `${token.slice(-8)}.token`);
    writeFileSync(path, `${token}\n`);
    return path;
  };
  const revoke = async (base: string, token: string): Promise<void> => {
    const headers = { authorization: `Bearer ${await tokenOf({ scope: "admin" })}` };
    const target = `${base}/revocations/${idOf(token)}?ttl=2h&ack=directory`;
    const { status } = await request(target, { method: "PUT", headers });
    if (status !== 200) throw new Error(`Expected to revoke a token, got HTTP ${status}`);
  };
  const common = { cluster: "test", tokenKeys: keysFile, logger: silentLogger, port: 0, clock };
  const running = await startDirectory({ ...common, data: join(folder, "directory") });
  onEnd(() => running.stop());
  const paris = await startSmallRegion({
    ...common,
    id: "paris",
    data: join(folder, "paris"),
    directory: [running.url],
    tokenFile: fileOf(await tokenOf({ scope: "node", nodes: ["paris"] })),
  });
  onEnd(() => paris.stop());
  await until("the region is ready", () => paris.status === "ready");
  const where = { directory: running.url, region: paris.url };
  return { folder, keysFile, key, stranger, ...where, tokenOf, revoke, fileOf, onEnd };
}

function wishOf(wish: Partial<TokenWish>, nowMs: number): TokenWish {
  return {
    scope: "read" as Scope,
    prefixes: wish.scope === "node" ? [] : [""],
    nodes: wish.scope === "node" ? ["*"] : [],
    subject: "test",
    cluster: "test",
    nowMs,
    expiresAtMs: nowMs + HOUR_MS,
    ...wish,
  };
}

/** The id of a token. */
export function idOf(token: string): string {
  const [, claims = ""] = token.split(".");
  return (JSON.parse(Buffer.from(claims, "base64url").toString()) as { jti: string }).jti;
}

/** By method and path: the request about a key. A route that is not in the table is requested at its path. */
const QUESTIONS: Readonly<Record<string, (key: string) => { path?: string; body?: string }>> = {
  "GET /cache/{key}": (name) => ({ path: `/cache/${name}` }),
  "PUT /cache/{key}": (name) => ({ path: `/cache/${name}`, body: "value" }),
  "DELETE /cache/{key}": (name) => ({ path: `/cache/${name}` }),
  "GET /cache": (name) => ({ path: `/cache?key=${name}` }),
  "POST /cache": (name) => ({ path: `/cache?key=${name}&value=1` }),
  "POST /batch/get": (name) => ({ body: JSON.stringify({ keys: ["app1:a", name] }) }),
  "POST /batch/set": (name) => ({
    body: JSON.stringify({
      entries: [
        { key: "app1:a", value: "1" },
        { key: name, value: "1" },
      ],
    }),
  }),
  "POST /batch/has": (name) => ({ body: JSON.stringify({ keys: ["app1:a", name] }) }),
  "POST /batch/delete": (name) => ({ body: JSON.stringify({ keys: ["app1:a", name] }) }),
  "POST /touch": (name) => ({ path: `/touch?key=${name}&ttl=1h` }),
  "POST /pull": (name) => ({ path: `/pull?key=${name}` }),
  "POST /lease": (name) => ({ path: `/lease?key=${name}&ttl=1ms` }),
  "DELETE /lease": (name) => ({ path: `/lease?key=${name}&lease=none` }),
  "GET /watch": (name) => ({ path: `/watch?prefix=${name}` }),
  "POST /watch/tickets": (name) => ({ path: `/watch/tickets?prefix=${name}` }),
  "GET /entry": (name) => ({ path: `/entry?key=${name}` }),
  "GET /keys": (name) => ({ path: `/keys?prefix=${name}` }),
  "GET /nearest": () => ({ path: "/nearest?lat=1&lon=2" }),
  "GET /directory/view/nearest": () => ({ path: "/directory/view/nearest?lat=1&lon=2" }),
  "GET /nodes/{id}": () => ({ path: "/nodes/nobody" }),
  "DELETE /nodes/{id}": () => ({ path: "/nodes/nobody" }),
  "GET /quarantine/{id}": () => ({ path: "/quarantine/1" }),
  "DELETE /quarantine/{id}": () => ({ path: "/quarantine/1" }),
  "PUT /revocations/{id}": () => ({ path: "/revocations/somebody" }),
  "POST /quarantine/{id}/replay": () => ({ path: "/quarantine/1/replay" }),
  ...viewQuestions({
    "GET /keys": (name) => `/keys?prefix=${name}`,
    "GET /cache": (name) => `/cache?key=${name}`,
    "GET /entry": (name) => `/entry?key=${name}`,
    "POST /cache": (name) => `/cache?key=${name}&value=1`,
    "DELETE /cache/{key}": (name) => `/cache/${name}`,
    "POST /touch": (name) => `/touch?key=${name}&ttl=1h`,
    "GET /watch": (name) => `/watch?key=${name}`,
  }),
};

/** The same for requests that the directory hands on to the region. */
function viewQuestions(
  paths: Readonly<Record<string, (key: string) => string>>,
): Readonly<Record<string, (key: string) => { path: string }>> {
  return Object.fromEntries(
    Object.entries(paths).map(([name, pathOf]) => [
      name.replace(" ", ` ${VIEW_PREFIX}`),
      (key: string) => ({ path: `/nodes/paris/view${pathOf(key)}` }),
    ]),
  );
}

/** The answer to a request. */
export interface Told {
  readonly status: number;
  readonly code: string;
  readonly challenge: string | null;
}

/** How many requests come from one address: fewer than the number of bad tokens that locks an address out. */
const PER_ADDRESS = 15;

let asked = 0;
let agent: Agent | undefined;

/** Sends requests from many addresses of this machine, so that bad tokens lock none of them out. */
function nextAgent(): Agent {
  if (agent === undefined || asked % PER_ADDRESS === 0) {
    void agent?.close();
    const address = Math.floor(asked / PER_ADDRESS);
    const localAddress = `127.0.${1 + Math.floor(address / 250)}.${1 + (address % 250)}`;
    agent = new Agent({ localAddress });
  }
  asked += 1;
  return agent;
}

/** Sends the request of a route about a key. */
export async function ask(
  base: string,
  { method, path }: Pick<PlacedRoute, "method" | "path">,
  token: string | undefined,
  name = "app1:k",
): Promise<Told> {
  const question = QUESTIONS[`${method} ${path}`]?.(name) ?? {};
  const response = await fetch(base + (question.path ?? path), {
    dispatcher: nextAgent(),
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(question.body !== undefined && { "content-type": "application/json" }),
    },
    ...(question.body !== undefined && { body: question.body }),
  });
  // A stream of events does not end, so its body is not read.
  const isOpen = response.headers.get("content-type") === "text/event-stream";
  if (isOpen) await response.body?.cancel();
  const text = isOpen ? "" : await response.text();
  const { code = "" } = text.startsWith("{") ? (JSON.parse(text) as { code?: string }) : {};
  return { status: response.status, code, challenge: response.headers.get("www-authenticate") };
}
