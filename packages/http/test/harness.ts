import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

import { MeridianError } from "@meridian/protocol";
import { Metrics, systemClock, type Gauge, silentLogger } from "@meridian/runtime";
import { onTestFinished } from "vitest";

import { HttpServer, type HttpServerOptions } from "@meridian/http";

const metricsOf = new WeakMap<HttpServer, Metrics>();

/** How full what a server holds is: its level of that name. */
export function levelOf(server: HttpServer, wanted: string): Gauge | undefined {
  return metricsOf
    .get(server)
    ?.levels()
    .find(({ name }) => name === wanted);
}

/** A server on a free port of this machine, closed when the test ends. */
export async function startServer({
  host = "127.0.0.1",
  ...given
}: Partial<HttpServerOptions> & { host?: string } = {}): Promise<HttpServer> {
  const metrics = new Metrics();
  const server = new HttpServer({
    clock: systemClock,
    logger: silentLogger,
    metrics,
    connectionsMax: 100,
    starting: new MeridianError("DIRECTORY_UNREACHABLE", "Not yet"),
    ...given,
  });
  metricsOf.set(server, metrics);
  await server.listen(host, 0);
  onTestFinished(() => server.close(0));
  return server;
}

/** Until the test ends, servers find a Node.js that cannot read connections into memory of theirs. */
export async function withoutSharedReads(): Promise<void> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  let owner = (server as unknown as { readonly _handle: object })._handle;
  server.close();
  while (!Object.hasOwn(owner, "useUserBuffer")) owner = Object.getPrototypeOf(owner) as object;
  const found = Object.getOwnPropertyDescriptor(owner, "useUserBuffer");
  Object.defineProperty(owner, "useUserBuffer", { value: undefined, configurable: true });
  onTestFinished(() => {
    Object.defineProperty(owner, "useUserBuffer", found ?? {});
  });
}

/** A connection to a server. */
export function connectTo({ port }: HttpServer): Socket {
  return connect(port, "127.0.0.1");
}

/** What comes back for bytes that no HTTP library would send, until the server ends the connection. */
export function exchangeBytes(server: HttpServer, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTo(server);
    const chunks: Buffer[] = [];
    socket.write(Buffer.from(bytes, "latin1"));
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
  });
}
