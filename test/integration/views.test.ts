/** What a directory hands on to its nodes, and under whose token. */
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

import { startSmallRegion, until } from "@meridian/harness";
import { silentLogger } from "@meridian/runtime";
import { expect, it } from "vitest";
import { join } from "node:path";

import { startTokenCluster } from "../support/token-cluster.ts";

const { folder, keysFile, directory, region, tokenOf, fileOf, onEnd } = await startTokenCluster();
const view = `${directory}/nodes/paris/view`;

async function asked(
  url: string,
  token: string,
  init: RequestInit = {},
): Promise<readonly [number, Record<string, unknown>]> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "text/plain" };
  const response = await fetch(url, { ...init, headers });
  return [response.status, (await response.json()) as Record<string, unknown>];
}

function fail(): never {
  throw new Error("Expected an event, got the end of the stream");
}

it("a value is set, read, listed, touched and deleted at a node through the directory", async () => {
  const writer = await tokenOf({ scope: "write", prefixes: ["app1:"] });
  const set = await asked(`${view}/cache?key=app1:k&ttl=1h`, writer, { method: "POST", body: "é" });
  expect(set[0]).toBe(200);
  const own = await asked(`${region}/cache?key=app1:k`, writer);
  expect(own[1]).toMatchObject({ value: "é", contentType: "text/plain" });
  expect(await asked(`${view}/cache?key=app1:k`, writer)).toEqual(own);
  const listed = await asked(`${view}/keys?prefix=app1:`, writer);
  expect(listed[1]).toMatchObject({ keys: [{ key: "app1:k" }] });
  const touched = await asked(`${view}/touch?key=app1:k&expiresAt=never`, writer, {
    method: "POST",
  });
  expect(touched[1]).toMatchObject({ expiresAtMs: null });
  const gone = await asked(`${view}/cache/app1%3Ak`, writer, { method: "DELETE" });
  expect(gone[1]).toMatchObject({ deleted: true });
  expect((await asked(`${view}/cache?key=app1:k`, writer))[1]).toMatchObject({
    code: "KEY_NOT_FOUND",
  });
});

it("a node is asked under the token of the caller, which has no more rights through the directory than at the node", async () => {
  const reader = await tokenOf();
  const seen = async (path: string, token: string): Promise<unknown> =>
    (await asked(view + path, token))[1]["code"];
  expect(await seen("/quarantine", reader)).toBe("FORBIDDEN");
  expect(await seen("/quarantine", await tokenOf({ scope: "admin" }))).toBe(undefined);
  const prefixed = await tokenOf({ prefixes: ["app1:"] });
  expect(await seen("/keys?prefix=app2:", prefixed)).toBe("FORBIDDEN");
  expect(await seen("/cache?key=app1:no", prefixed)).toBe("KEY_NOT_FOUND");
  expect(await seen("/status", await tokenOf({ scope: "node", nodes: ["x"] }))).toBe(undefined);
});

it("what becomes of a key at a node is told through the directory", async () => {
  const writer = await tokenOf({ scope: "write" });
  const headers = { authorization: `Bearer ${writer}` };
  const stream = await fetch(`${view}/watch?key=seen`, { headers });
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
  const isWatched = async (): Promise<boolean> => {
    const [, { gauges }] = await asked(`${region}/status`, writer);
    const levels = gauges as readonly { readonly name: string; readonly now: number }[];
    return levels.some(({ name, now }) => name === "eventStreams" && now === 1);
  };
  await until("the node is watched", isWatched);
  await asked(`${region}/cache?key=seen&value=1`, writer, { method: "POST" });
  let text = "";
  while (!text.includes("event: set")) text += (await reader?.read())?.value ?? fail();
  await reader?.cancel();
  expect(text).toContain('"key":"seen"');
});

it("a region shows the map of its directory under the token of the caller, and nothing else of it", async () => {
  const map = `${region}/directory/view`;
  const reader = await tokenOf();
  const [status, { cluster, logId }] = await asked(`${map}/status`, reader);
  expect([status, cluster, typeof logId]).toEqual([200, "test", "number"]);
  const [, { nodes }] = await asked(`${map}/nearest?lat=1&lon=2`, reader);
  expect(nodes).toMatchObject([{ id: "paris" }]);
  const headers = { authorization: `Bearer ${reader}` };
  const stream = await fetch(`${map}/nodes/watch?progress=true`, { headers });
  const reading = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("event: nodes")) text += (await reading?.read())?.value ?? fail();
  await reading?.cancel();
  expect(text).toContain('"id":"paris"');
  expect((await fetch(`${map}/status`)).status).toBe(401);
  for (const path of ["/nodes", "/digest", "/peers/x/view/digest", "/../metrics"]) {
    const [code] = await asked(`${map}${path.replaceAll(".", "%2E")}`, reader);
    expect([path, code]).toEqual([path, 404]);
  }
  const [, problem] = await asked(`${map}/peers/http%3A%2F%2Felsewhere/view/status`, reader);
  expect(problem).toMatchObject({ code: "NODE_NOT_FOUND" });
});

it("a region whose directory is away says that it cannot be asked", async () => {
  const alone = await startSmallRegion({
    id: "alone",
    data: join(folder, "alone"),
    directory: ["http://127.0.0.1:9"],
  });
  onEnd(() => alone.stop());
  const answer = await fetch(`${alone.url}/directory/view/status`);
  expect(await answer.json()).toMatchObject({ code: "NODE_UNREACHABLE", status: 504 });
});

it("a token is shown to the node alone that was asked for, and to none without TLS on another machine", async () => {
  const shown: (string | undefined)[] = [];
  const thief = createServer((request, response) => {
    shown.push(request.headers.authorization);
    response.end("{}");
  });
  thief.listen(0, "127.0.0.1");
  await once(thief, "listening");
  onEnd(async () => void thief.close());
  const { port } = thief.address() as AddressInfo;
  const urls = { near: `http://127.0.0.1:${port}`, far: "http://192.0.2.1:80" };
  for (const [id, url] of Object.entries(urls)) {
    const token = await tokenOf({ scope: "node", nodes: [id] });
    const node = await startSmallRegion({
      cluster: "test",
      tokenKeys: keysFile,
      logger: silentLogger,
      port: 0,
      id,
      url,
      data: join(folder, id),
      directory: [directory],
      tokenFile: fileOf(token),
    });
    onEnd(() => node.stop());
    await until(`${id} is ready`, () => node.status === "ready");
  }
  const reader = await tokenOf();
  const codeAt = async (id: string): Promise<unknown> =>
    (await asked(`${directory}/nodes/${id}/view/status`, reader))[1]["code"];
  expect(await codeAt("far")).toBe("FORBIDDEN");
  expect(shown).toEqual([]);
  expect(await codeAt("near")).toBe("NODE_ANSWER_INVALID");
  expect(shown).toEqual([`Bearer ${reader}`]);
});
