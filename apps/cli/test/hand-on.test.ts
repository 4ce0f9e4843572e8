import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

import { expect, it, onTestFinished } from "vitest";

import { handOn } from "../playground/hand-on.ts";

async function served(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it("a page that is too long is broken off, and one that is not is rewritten", async () => {
  const origin = await served((request, response) => {
    response.end("p".repeat(request.url === "/long" ? 1024 * 1024 + 1 : 3));
  });
  const rewrite = { page: (text: string): string => `<${text}>` };
  const url = await served((request, response) => {
    void handOn(request, response, { origin, target: request.url ?? "/", rewrite });
  });
  expect(await (await fetch(`${url}/short`)).text()).toBe("<ppp>");
  await expect(fetch(`${url}/long`)).rejects.toThrow("fetch failed");
});
