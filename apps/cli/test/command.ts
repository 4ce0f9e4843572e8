/** The command against servers of a test's own. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

import { onTestFinished } from "vitest";

import { runCli } from "../src/index.ts";

/** What a server was asked. */
export interface Call {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** What a server answers. */
export interface Reply {
  readonly status?: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How a command ended. */
export interface Outcome {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** A directory and a node in one server; answers by method and path, remembers what it was asked. */
export async function serve(
  routes: Readonly<Record<string, Reply>>,
): Promise<{ readonly url: string; readonly calls: Call[]; readonly close: () => void }> {
  const calls: Call[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { method = "", url = "", headers } = request;
      calls.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
      const path = url.split("?")[0] ?? "";
      const reply = routes[`${method} ${path}`] ?? {
        status: 404,
        body: { code: "ROUTE_NOT_FOUND", detail: `nothing at ${path}` },
      };
      const type = (reply.status ?? 200) < 400 ? "application/json" : "application/problem+json";
      const told = { "content-type": type, "meridian-node": "test", ...reply.headers };
      response.writeHead(reply.status ?? 200, told);
      response.end(Buffer.isBuffer(reply.body) ? reply.body : JSON.stringify(reply.body));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  // A hook of this module would be that of one file only, where a process runs several.
  onTestFinished(close);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls, close };
}

/** Runs a command in this process. */
export async function run(
  argv: readonly string[],
  given: {
    readonly stdin?: string;
    readonly env?: Record<string, string>;
    readonly isTerminal?: boolean;
  } = {},
): Promise<Outcome> {
  const out: Buffer[] = [];
  let stderr = "";
  async function* input(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(given.stdin ?? "");
  }
  const exitCode = await runCli(argv, {
    stdout: { write: (data) => out.push(Buffer.from(data as string)) },
    isTerminal: given.isTerminal ?? false,
    stderr: { write: (text) => (stderr += text) },
    stdin: given.stdin === undefined ? undefined : input(),
    env: given.env ?? {},
    colour: false,
  });
  return { exitCode, stdout: Buffer.concat(out), stderr };
}
