/** The yardstick: a bare node:http server that reads what it is sent and answers with a fixed body. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** What the bare server answers to each method. */
export interface BareBodies {
  readonly GET: string;
  readonly PUT: string;
}

const bodies = JSON.parse(process.argv[2] ?? "{}") as BareBodies;

const server = createServer((incoming, outgoing) => {
  if (incoming.method !== "PUT") {
    answer(bodies.GET);
    return;
  }
  const chunks: Uint8Array[] = [];
  incoming.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  incoming.on("end", () => answer(bodies.PUT));

  function answer(body: string): void {
    outgoing.writeHead(200, {
      "Content-Type": "text/plain",
      "Content-Length": String(body.length),
    });
    outgoing.end(body);
  }
});
server.keepAliveTimeout = 65_000;
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ type: "listening", url: `http://127.0.0.1:${port}` });
});
