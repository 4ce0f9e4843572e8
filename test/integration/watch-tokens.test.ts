/** Streams of server-sent events at programs that demand tokens; and the directory's stream of its nodes. */
import { join } from "node:path";

import { request, startSmallRegion, until } from "@meridian/harness";
import { silentLogger } from "@meridian/runtime";
import { expect, it, onTestFinished } from "vitest";

import { startTokenCluster } from "../support/token-cluster.ts";

const { folder, keysFile, directory, region, tokenOf, revoke, fileOf } = await startTokenCluster();

interface Reader {
  /** Reads until the text contains `part`, or the stream ends. Resolves to all text so far. */
  readonly until: (part: string) => Promise<string>;
  readonly status: number;
}

async function stream(url: string, token?: string): Promise<Reader> {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(url, { headers, signal: controller.signal });
  const reader = response.body?.getReader();
  let text = "";
  return {
    status: response.status,
    until: async (part) => {
      while (!text.includes(part)) {
        const chunk = await reader?.read().catch(() => undefined);
        if (chunk?.value === undefined) return `${text}END`;
        text += Buffer.from(chunk.value as Uint8Array).toString();
      }
      return text;
    },
  };
}

async function ticketOf(query: string, token: string): Promise<string> {
  const response = await request(`${region}/watch/tickets?${query}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
  });
  expect(response.status).toBe(200);
  const { ticket, expiresInMs } = (await response.json()) as {
    ticket: string;
    expiresInMs: number;
  };
  expect(expiresInMs).toBe(30_000);
  return ticket;
}

async function set(key: string): Promise<void> {
  const headers = { authorization: `Bearer ${await tokenOf({ scope: "write" })}` };
  await request(`${region}/cache/${key}`, { method: "PUT", headers, body: "1" });
}

it("a ticket stands for a token at `/watch`, once, for what it was made for, and nowhere else", async () => {
  const token = await tokenOf({ prefixes: ["app1:"] });
  const ticket = await ticketOf("prefix=app1:x", token);
  const elsewhere = await fetch(`${region}/keys?prefix=app1:x&ticket=${ticket}`);
  expect(elsewhere.status).toBe(401);
  const watched = await stream(`${region}/watch?prefix=app1:x&ticket=${ticket}`);
  expect(watched.status).toBe(200);
  await set("app1:x1");
  expect(await watched.until('"app1:x1"')).toContain("event: set");
  expect((await stream(`${region}/watch?prefix=app1:x&ticket=${ticket}`)).status).toBe(401);
  const other = await ticketOf("prefix=app1:x", token);
  expect((await stream(`${region}/watch?prefix=app1:&ticket=${other}`)).status).toBe(403);
  expect((await stream(`${region}/watch?prefix=app1:x&ticket=guess`)).status).toBe(401);
  expect((await stream(`${region}/watch?prefix=app1:x`)).status).toBe(401);
});

it("a stream ends when its token is revoked, also one that was opened with a ticket", async () => {
  const token = await tokenOf();
  const ticket = await ticketOf("prefix=", token);
  const late = await ticketOf("prefix=", token);
  const streams = [
    await stream(`${region}/watch?prefix=`, token),
    await stream(`${region}/watch?prefix=&ticket=${ticket}`),
  ];
  for (const each of streams) await each.until("id:");
  await revoke(region, token);
  for (const each of streams) expect(await each.until("never")).toContain("END");
  expect((await stream(`${region}/watch?prefix=&ticket=${late}`)).status).toBe(401);
});

it("a directory streams which nodes come, go and are forgotten", async () => {
  const token = await tokenOf();
  const first = await stream(`${directory}/nodes/watch`, token);
  expect(await first.until("\n\nevent: nodes")).not.toContain("rome");
  const rome = await startSmallRegion({
    cluster: "test",
    tokenKeys: keysFile,
    logger: silentLogger,
    port: 0,
    id: "rome",
    data: join(folder, "rome"),
    directory: [directory],
    tokenFile: fileOf(await tokenOf({ scope: "node", nodes: ["rome"] })),
  });
  await until("rome is ready", () => rome.status === "ready");
  expect(await first.until('"status":"ready","goneSinceMs":null')).toBeDefined();
  const all = await first.until('event: node\ndata: {"id":"rome"');
  expect(all).not.toContain("END");
  await rome.stop();
  expect(await first.until('"status":"gone"')).not.toContain("END");
  const second = await stream(`${directory}/nodes/watch`, token);
  expect(await second.until('"rome"')).toContain('"paris"');
});
