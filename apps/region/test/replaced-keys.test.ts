/** What goes on for long, with tokens whose key has been taken out of the file while it went on. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Metrics, seededRandom, silentLogger } from "@meridian/runtime";
import {
  createToken,
  makeSigningKey,
  publicKeysOf,
  Revocations,
  TokenVerifier,
  type SigningKey,
} from "@meridian/tokens";
import { expect, it, onTestFinished } from "vitest";

import { HttpListener } from "../src/listeners/http/http-listener.ts";
import { testNode } from "./harness.ts";
import { SocketClient } from "./socket-client.ts";

const HOUR_MS = 3_600_000;
const random = seededRandom(1);

it("streams and WebSockets of a key that is trusted no more are closed at once, and those of the others go on", async () => {
  const region = await testNode();
  const { clock } = region;
  const folder = mkdtempSync(join(tmpdir(), "meridian-keys-"));
  onTestFinished(async () => {
    await region.close();
    rmSync(folder, { recursive: true });
  });
  const path = join(folder, "keys.json");
  const trust = (...keys: readonly SigningKey[]): void =>
    writeFileSync(path, JSON.stringify(publicKeysOf(keys)));
  const [old, young] = [await makeSigningKey(), await makeSigningKey()];
  trust(old, young);
  const context = { clock, logger: silentLogger };
  const revocations = new Revocations({ ageMaxMs: HOUR_MS, knownAtMs: clock.nowMs(), ...context });
  const verifier = await TokenVerifier.open({ path, cluster: "c", revocations, ...context });
  const bounds = { connectionsMax: 100, allowOrigin: [], metrics: new Metrics() };
  const listener = new HttpListener({ ...context, ...bounds, authenticator: verifier });
  await listener.listen("127.0.0.1", 0);
  listener.start(region.node);
  onTestFinished(() => listener.stop());
  const { port } = listener;

  const tokenOf = async (key: SigningKey): Promise<string> => {
    const nowMs = clock.nowMs();
    const grant = { scope: "read", prefixes: [""], nodes: [], subject: "s", cluster: "c" } as const;
    const wish = { ...grant, nowMs, expiresAtMs: nowMs + HOUR_MS };
    return (await createToken(key, wish, random)).token;
  };
  const stream = async (target: string, token?: string): Promise<IncomingMessage> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const asked = get({ host: "127.0.0.1", port, path: target, headers, agent: false });
    onTestFinished(() => void asked.destroy());
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    answer.on("error", () => {}).resume();
    return answer;
  };
  const socket = async (token: string): Promise<SocketClient> => {
    const client = await SocketClient.open(port);
    onTestFinished(() => client.close());
    expect(await client.code({ type: "auth", token })).toBe("ok");
    return client;
  };
  const ticketOf = async (token: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}/watch/tickets?prefix=`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
    });
    return ((await response.json()) as { readonly ticket: string }).ticket;
  };

  const [gone, kept] = [await tokenOf(old), await tokenOf(young)];
  const unused = await ticketOf(gone);
  const ending = [
    await stream("/watch?prefix=", gone),
    await stream(`/watch?prefix=&ticket=${await ticketOf(gone)}`),
  ];
  const staying = await stream("/watch?prefix=", kept);
  const [first, second] = [await socket(gone), await socket(kept)];
  trust(young);
  await verifier.reload();
  for (const each of ending) await expect.poll(() => each.destroyed).toBe(true);
  expect((await first.closed).code).toBe(4416);
  expect(await second.code({ type: "ping" })).toBe("ok");
  expect(staying.destroyed).toBe(false);
  expect((await stream(`/watch?prefix=&ticket=${unused}`)).statusCode).toBe(401);
});
