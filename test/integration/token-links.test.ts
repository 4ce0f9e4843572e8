/** Tokens of links; and what a revocation does to links, to waiting requests, and to directories that were away. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { startDirectory } from "@meridian/directory";
import { request, startSmallRegion, until } from "@meridian/harness";
import { silentLogger, systemClock, type Logger } from "@meridian/runtime";
import { describe, expect, it } from "vitest";

import { ask, HOUR_MS, startTokenCluster } from "../support/token-cluster.ts";

const cluster = await startTokenCluster();
const { folder, keysFile, stranger, directory, region, tokenOf, revoke, fileOf, onEnd } = cluster;
const common = { cluster: "test", logger: silentLogger, port: 0 };
const nodes = { method: "GET", path: "/nodes" };
const codeAt = async (base: string, token: string): Promise<string> =>
  (await ask(base, nodes, token)).code;

describe("a link", () => {
  it.each<[string, () => Promise<string | null>, RegExp]>([
    ["no token", async () => null, /UNAUTHENTICATED: Expected a token/],
    ["one of another scope", () => tokenOf({ scope: "admin" }), /FORBIDDEN: .*scope `node`/],
    ["one of another key", () => tokenOf({ scope: "node" }, stranger), /UNAUTHENTICATED/],
    [
      "one that has expired",
      async () => {
        const nowMs = systemClock.nowMs();
        const past = { nowMs: nowMs - 2 * HOUR_MS, expiresAtMs: nowMs - HOUR_MS };
        return tokenOf({ scope: "node", ...past });
      },
      /UNAUTHENTICATED: .*has expired/,
    ],
    [
      "one that has been revoked",
      async () => {
        const token = await tokenOf({ scope: "node" });
        await revoke(region, token);
        return token;
      },
      /UNAUTHENTICATED: .*has been revoked/,
    ],
    [
      "one that names other nodes",
      () => tokenOf({ scope: "node", nodes: ["oslo"] }),
      /FORBIDDEN.*got a node `rome`/,
    ],
  ])("is not taken with %s", async (_, make, says) => {
    const lines: string[] = [];
    const log = (message: string, fields: object = {}): void =>
      void lines.push(`${message} ${Object.values(fields).join(": ")}`);
    const logger: Logger = { debug: log, info: log, warn: log, error: log };
    const token = await make();
    const rome = await startSmallRegion({
      id: "rome",
      data: join(folder, `rome-${token?.slice(-8) ?? "none"}`),
      directory: [directory],
      tokenFile: token === null ? null : fileOf(token),
      logger,
    });
    try {
      await until("the node says why", () => lines.some((line) => says.test(line)));
      expect(rome.status).toBe("joining");
    } finally {
      await rome.stop();
    }
  });
});

describe("a link of a directory", () => {
  it("is accepted with a token for all ids only, and brings the revocations", async () => {
    const reading = `Bearer ${await tokenOf()}`;
    const follow = async (
      nodes: readonly string[],
    ): Promise<{ readonly url: string; isConnected(): Promise<boolean> }> => {
      const path = fileOf(await tokenOf({ scope: "node", nodes }));
      const follower = await startDirectory({
        cluster: "test",
        logger: silentLogger,
        port: 0,
        data: join(folder, `follower-${nodes.join()}`),
        peer: [directory],
        tokenFile: path,
        tokenKeys: keysFile,
      });
      onEnd(() => follower.stop());
      const { url } = follower;
      const isConnected = async (): Promise<boolean> => {
        const status = await request(`${url}/status`, { headers: { authorization: reading } });
        const { peers } = (await status.json()) as { peers: readonly { connected: boolean }[] };
        return peers[0]?.connected === true;
      };
      return { url, isConnected };
    };
    const some = await follow(["paris"]);
    const before = await tokenOf();
    await revoke(region, before);
    const all = await follow(["*"]);
    await until("it follows", () => all.isConnected());
    expect(await some.isConnected()).toBe(false);
    const refused = async (token: string): Promise<boolean> =>
      (await codeAt(all.url, token)) === "UNAUTHENTICATED";
    await until("it knows of one from before", () => refused(before));
    const token = await tokenOf();
    expect(await refused(token)).toBe(false);
    await revoke(region, token);
    await until("it knows of a new one", () => refused(token));
  });
});

describe("a revocation", () => {
  it("closes the link that its token opened, until the node shows another token", async () => {
    const token = await tokenOf({ scope: "node", nodes: ["oslo"] });
    const tokenFile = fileOf(token);
    const data = join(folder, "oslo");
    const oslo = await startSmallRegion({ ...common, id: "oslo", data, directory, tokenFile });
    try {
      await until("it is ready", () => oslo.status === "ready");
      await revoke(region, token);
      await until("it is cut off", () => oslo.status === "standalone");
      writeFileSync(tokenFile, await tokenOf({ scope: "node", nodes: ["oslo"] }));
      await until("it is back", () => oslo.status === "ready");
      expect(await codeAt(region, token)).toBe("UNAUTHENTICATED");
    } finally {
      await oslo.stop();
    }
  });

  it("ends the waiting requests of its token", async () => {
    const token = await tokenOf({ scope: "write" });
    const waiting = request(`${region}/cache/waits?ack=99&timeout=60s`, {
      method: "PUT",
      body: "value",
      headers: { authorization: `Bearer ${token}` },
    });
    const cut = waiting.then(
      () => "answered",
      () => "cut",
    );
    const reader = await tokenOf();
    await until("it is stored", async () => {
      const stored = await ask(region, { method: "GET", path: "/cache/{key}" }, reader, "waits");
      return stored.status === 200;
    });
    await revoke(region, token);
    expect(await cut).toBe("cut");
  });

  it("is in force at a directory that restarts, and at an empty one once a node has filled it", async () => {
    const start = (name: string): ReturnType<typeof startDirectory> =>
      startDirectory({ ...common, tokenKeys: keysFile, data: join(folder, name) });
    const first = await start("first");
    const tokenFile = fileOf(await tokenOf({ scope: "node" }));
    const rome = { ...common, id: "rome", data: join(folder, "rome"), tokenFile };
    const region = { ...rome, tokenKeys: keysFile };
    const before = await startSmallRegion({ ...region, directory: first.url });
    await until("it is ready", () => before.status === "ready");
    const token = await tokenOf();
    expect(await codeAt(first.url, token)).toBe("");
    await revoke(before.url, token);
    expect(await codeAt(first.url, token)).toBe("UNAUTHENTICATED");
    await first.stop();
    await before.stop();

    const again = await start("first");
    expect(await codeAt(again.url, token)).toBe("UNAUTHENTICATED");
    await again.stop();

    const empty = await start("empty");
    expect(await codeAt(empty.url, token)).toBe("");
    const after = await startSmallRegion({ ...region, directory: empty.url });
    expect(await codeAt(after.url, token)).toBe("UNAUTHENTICATED");
    await until("it has told", async () => (await codeAt(empty.url, token)) === "UNAUTHENTICATED");
    await after.stop();
    await empty.stop();
  });
});

describe("the list of revocations", () => {
  it("lists all revocations, is hidden from clients, and keeps each until its token has expired", async () => {
    const authorization = `Bearer ${await tokenOf({ scope: "admin" })}`;
    const asked = async (target: string, method = "GET"): Promise<unknown> =>
      (await request(region + target, { method, headers: { authorization } })).json();
    const long = await asked("/revocations/one?ttl=2h", "PUT");
    expect(await asked("/revocations/one?ttl=1h", "PUT")).toMatchObject({
      expiresAtMs: (long as { expiresAtMs: number }).expiresAtMs,
    });
    expect(await asked("/revocations/one", "PUT")).toMatchObject({ expiresAtMs: null });
    await asked("/revocations/onf?ttl=1h", "PUT");
    expect(await asked("/revocations?limit=1&after=on")).toMatchObject({
      entries: [{ id: "one", expiresAtMs: null }],
      next: "one",
    });
    expect(await asked("/revocations/a%20b", "PUT")).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await asked("/revocations/", "PUT")).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(JSON.stringify(await asked("/keys?limit=1000"))).not.toContain("revoked/");
    expect(await asked("/cache/%00revoked%2Fone")).toMatchObject({ code: "INVALID_KEY" });
  });
});
