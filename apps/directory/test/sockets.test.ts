import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";

import { HttpServer } from "@meridian/http";
import { MeridianError } from "@meridian/protocol";
import { Metrics, systemClock, silentLogger } from "@meridian/runtime";

import { directoryHandlers } from "../src/http/directory-listener.ts";
import { CITIES, serviceOf } from "./service.ts";

async function startService(): Promise<string> {
  const starting = new MeridianError("DIRECTORY_UNREACHABLE", "Not yet");
  const server = new HttpServer({
    clock: systemClock,
    logger: silentLogger,
    metrics: new Metrics(),
    connectionsMax: 100,
    starting,
  });
  await server.listen("127.0.0.1", 0);
  onTestFinished(() => server.close(0));
  server.handle(directoryHandlers(serviceOf(CITIES)));
  return server.url;
}

/** What comes back for bytes that no HTTP library would send. */
async function exchange(url: string, request: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.end(request);
  let answer = "";
  socket.on("data", (bytes) => (answer += bytes.toString()));
  await once(socket, "close");
  return answer;
}

describe("requests over a socket", () => {
  it("of every form get the same nodes, by the short path or by the router", async () => {
    const url = await startService();
    const query = "/nearest?lat=48.86&lon=2.35&limit=2";
    const short = await exchange(
      url,
      `GET ${query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    const routed = await exchange(
      url,
      `GET http://localhost${query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    const bodyOf = (answer: string): string => answer.slice(answer.indexOf('{"nodes"'));
    expect(JSON.parse(bodyOf(short))).toMatchObject({ nodes: [{ id: "frankfurt" }, {}] });
    expect(bodyOf(routed)).toBe(bodyOf(short));
    const head = await fetch(url + query, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  it("that make no URL are answered with 400", async () => {
    const url = await startService();
    for (const request of [
      "GET /status HTTP/1.1\r\nHost: a b[\r\nConnection: close\r\n\r\n",
      "GET http://[/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ]) {
      const answer = await exchange(url, request);
      expect(answer).toContain("HTTP/1.1 400");
      expect(answer).toContain('"code":"INVALID_ARGUMENT"');
    }
  });

  it("of HTTP/1.0 need no host", async () => {
    const answer = await exchange(await startService(), "GET /healthz HTTP/1.0\r\n\r\n");
    expect(answer).toContain('{"status":"ok"}');
  });
});
