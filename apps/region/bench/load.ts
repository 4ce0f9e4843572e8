/**
 * The load generator, a process of its own: a number of keep-alive connections, each of which sends its next
 * request when the answer to the last is complete.
 */
import { connect, type Socket } from "node:net";

/** What to send, and for how long. */
export interface LoadOrder {
  readonly port: number;
  /** Whole requests, taken in turn. */
  readonly requests: readonly string[];
  readonly connections: number;
  readonly durationMs: number;
}

/** What came back. */
export interface LoadResult {
  readonly answers: number;
  readonly elapsedMs: number;
  /** Answers of a status other than 200. */
  readonly failures: number;
  /** How busy this process was: near 1, it and not the server was the limit. */
  readonly busy: number;
}

process.on("message", (order: LoadOrder) => {
  run(order).then(
    (result) => process.send?.(result),
    (cause: unknown) => {
      throw cause;
    },
  );
});

async function run(order: LoadOrder): Promise<LoadResult> {
  const requests = order.requests.map((text) => Buffer.from(text, "latin1"));
  const counts = { answers: 0, failures: 0, next: 0 };
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  const untilMs = startMs + order.durationMs;
  const next = (): Uint8Array | undefined => {
    if (performance.now() >= untilMs) return undefined;
    counts.next += 1;
    return requests[counts.next % requests.length];
  };
  await Promise.all(
    Array.from({ length: order.connections }, () => drive(order.port, next, counts)),
  );
  const elapsedMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpu);
  return {
    answers: counts.answers,
    failures: counts.failures,
    elapsedMs,
    busy: (user + system) / 1000 / elapsedMs,
  };
}

function drive(
  port: number,
  next: () => Uint8Array | undefined,
  counts: { answers: number; failures: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket: Socket = connect({ port, host: "127.0.0.1", noDelay: true }, send);
    socket.on("error", reject);
    socket.on("close", () => resolve());
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      if (end === -1) return;
      const at = text.indexOf("Content-Length: ");
      const length = parseInt(text.slice(at + 16, at + 26), 10);
      if (text.length < end + 4 + length) return;
      counts.answers += 1;
      if (!text.startsWith("HTTP/1.1 200")) counts.failures += 1;
      text = "";
      send();
    });
    function send(): void {
      const request = next();
      if (request === undefined) socket.end();
      else socket.write(request);
    }
  });
}
