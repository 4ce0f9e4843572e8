import { connect } from "node:net";

import {
  HttpServer,
  type Authenticator,
  type HttpHandlers,
  type PlainReader,
} from "@meridian/http";
import { MeridianError } from "@meridian/protocol";
import { Metrics, silentLogger, systemClock } from "@meridian/runtime";
import { onTestFinished, vi } from "vitest";

import { directoryHandlers } from "../src/http/directory-listener.ts";
import type { DirectoryService } from "../src/http/directory-service.ts";

async function served(handlers: HttpHandlers): Promise<number> {
  const server = new HttpServer({
    clock: systemClock,
    logger: silentLogger,
    metrics: new Metrics(),
    connectionsMax: 100,
    // Whoever sends half of something hears so soon.
    timeouts: { headersTimeout: 200, requestTimeout: 250, connectionsCheckingInterval: 20 },
    starting: new MeridianError("DIRECTORY_UNREACHABLE", "Not yet"),
  });
  await server.listen("127.0.0.1", 0);
  onTestFinished(() => server.close(0));
  server.handle(handlers);
  return server.port;
}

/** Two ways to the answers of a directory. */
export interface BothWays {
  /** The port of a server with plain reads. */
  readonly plain: number;
  /** How many of them it has answered. */
  readonly reads: () => number;
  /** The port of a server without. */
  readonly node: number;
}

/** Serves a directory twice: with plain reads and without. What both count in, such as limits, is of `plainly` and of `other`. */
export async function bothWays(
  plainly: DirectoryService,
  other: DirectoryService = { ...plainly, metrics: new Metrics() },
  authenticator?: Authenticator,
): Promise<BothWays> {
  const handlers = directoryHandlers(plainly, {}, authenticator);
  const { read: _, ...others } = directoryHandlers(other, {}, authenticator);
  const counted = vi.fn<PlainReader>(handlers.read ?? (() => undefined));
  const [plain, node] = [await served({ ...handlers, read: counted }), await served(others)];
  const reads = (): number =>
    counted.mock.results.filter(({ type, value }) => type === "return" && value).length;
  return { plain, node, reads };
}

const PATIENT = { timeout: 10_000, interval: 5 };

/** Asks over one connection, each time once the answer before has come. Resolves to the answers, without their dates. */
export async function askInTurn(port: number, requests: readonly string[]): Promise<string[]> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  const answers: string[] = [];
  for (const request of requests) {
    text = "";
    socket.write(request);
    // Bodies are JSON.
    await vi.waitUntil(() => /^HTTP\/1\.1 \d+[^]*\r\n\r\n[^]*\}$/.test(text), PATIENT);
    answers.push(text.replace(/\r\nDate: [^\r]*/, ""));
  }
  return answers;
}
