/** Which position answers tell to requests that have been under way while the disk refused what the node had. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { testNode, type TestNode } from "./harness.ts";
import { SocketClient } from "./socket-client.ts";

let region: TestNode;
let port: number;
let losses = 0;
beforeEach(async () => {
  region = await testNode();
  port = await region.serve();
  losses = 0;
  const { admission } = region.node.service;
  vi.spyOn(admission, "losses", "get").mockImplementation(() => losses);
  vi.spyOn(admission, "positionToken").mockImplementation((then = losses) => `after-${then}`);
});
afterEach(async () => {
  await region.close();
});

/** Has the node lose what it had while requests wait for its disk, each begun once those before it wait. */
async function loseWhile<T>(...requests: readonly (() => Promise<T>)[]): Promise<readonly T[]> {
  const stall = region.stall();
  const answers: Promise<T>[] = [];
  for (const request of requests) {
    answers.push(request());
    await vi.waitUntil(() => region.requests === answers.length);
  }
  losses += 1;
  stall.end();
  return Promise.all(answers);
}

it.each([
  ["a write that takes the short way", "/cache/k", {}, 200],
  ["a write that takes the long way", "/cache/k?ttl=1h", {}, 200],
  ["a write that is refused", "/cache/k", { "If-Match": '"1-1"' }, 412],
])("HTTP: %s", async (_, path, headers, status) => {
  const url = `http://127.0.0.1:${port}`;
  const answers = await loseWhile(
    () => fetch(`${url}/cache/other`, { method: "PUT", body: "v" }),
    () => fetch(`${url}${path}`, { method: "PUT", headers, body: "v" }),
  );
  expect(answers.map((answer) => answer.status)).toEqual([200, status]);
  const told = answers.map((answer) => answer.headers.get("Meridian-Position"));
  expect(told).toEqual(["after-0", "after-0"]);
  const next = await fetch(`${url}/cache/other`);
  expect(next.headers.get("Meridian-Position")).toBe("after-1");
});

it("WebSocket: a write, and one that is refused", async () => {
  const client = await SocketClient.open(port);
  const answers = await loseWhile(
    () => client.ask({ type: "set", key: "k", value: "v" }),
    () => client.ask({ type: "set", key: "k", value: "v", ifMatch: '"1-1"' }),
  );
  expect(answers.map((told) => told["position"])).toEqual(["after-0", "after-0"]);
  expect((await client.ask({ type: "ping" }))["position"]).toBe("after-1");
  client.close();
});
