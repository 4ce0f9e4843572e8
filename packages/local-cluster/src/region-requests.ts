/** The requests of one session to whichever region, with the token of what it has seen. */
import { Agent, request, type IncomingMessage } from "node:http";

import { asMeridianError, parseStamp, type ErrorCode, type Stamp } from "@meridian/protocol";

/** What came of a request. */
export type Reply =
  | {
      readonly kind: "done";
      /** What was read; undefined for no value. */
      readonly value?: string | undefined;
      /** The stamp of what was read or written. */
      readonly stamp?: Stamp | undefined;
      /** When what was written expires, in milliseconds since the Unix epoch; 0 for never. */
      readonly expiresAtMs: number;
    }
  /** Nothing was done, and the region said so. */
  | { readonly kind: "refused"; readonly code: string }
  /** Nobody knows what was done. */
  | { readonly kind: "unanswered"; readonly why: string };

const PATIENCE_MS = 1_500;

/** Problems by which a region says that it has done nothing. */
const NOTHING_DONE: ReadonlySet<string> = new Set<ErrorCode>([
  "POSITION_NOT_REACHED",
  "NODE_SYNCING",
  "NODE_DRAINING",
  "OVERLOADED",
]);

type Method = "GET" | "PUT" | "DELETE";

/** One session. Its requests come one after the other. */
export class RegionRequests {
  readonly #patienceMs: number;
  readonly #agent = new Agent({ keepAlive: true });
  #position: string | undefined;

  /** A request that has had no answer within `patienceMs` is given up. */
  constructor(patienceMs: number = PATIENCE_MS) {
    this.#patienceMs = patienceMs;
  }

  set(url: string, key: string, value: string, ttlMs: number): Promise<Reply> {
    const query = ttlMs === 0 ? "" : `?ttl=${ttlMs}ms`;
    return this.#send(`${addressOf(url, key)}${query}`, "PUT", value);
  }

  delete(url: string, key: string): Promise<Reply> {
    return this.#send(addressOf(url, key), "DELETE");
  }

  get(url: string, key: string): Promise<Reply> {
    return this.#send(addressOf(url, key), "GET");
  }

  /** Ends its connections. */
  close(): void {
    this.#agent.destroy();
  }

  async #send(target: string, method: Method, body?: string): Promise<Reply> {
    try {
      const { status, text, headers } = await this.#exchange(target, method, body);
      const isAbsent = status === 404 && method === "GET";
      if (status !== 200 && !isAbsent) return refusal(status, text);
      const position = headers["meridian-position"];
      if (typeof position === "string") this.#position = position;
      const { etag } = headers;
      const stamp = isAbsent || etag === undefined ? undefined : parseStamp(etag.slice(1, -1));
      if (method === "GET") {
        return { kind: "done", value: isAbsent ? undefined : text, stamp, expiresAtMs: 0 };
      }
      const { expiresAtMs } = JSON.parse(text) as { readonly expiresAtMs?: number | null };
      return { kind: "done", stamp, expiresAtMs: expiresAtMs ?? 0 };
    } catch (cause) {
      return { kind: "unanswered", why: asMeridianError(cause).message };
    }
  }

  #exchange(target: string, method: Method, body: string | undefined): Promise<RawReply> {
    return new Promise((resolve, reject) => {
      const position = this.#position;
      const headers = {
        ...(position === undefined ? {} : { "meridian-position": position }),
        ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }),
      };
      const signal = AbortSignal.timeout(this.#patienceMs);
      const outgoing = request(target, { method, headers, agent: this.#agent, signal });
      outgoing.once("error", reject);
      outgoing.once("response", (incoming) => {
        readAnswer(incoming).then(resolve, reject);
      });
      outgoing.end(body);
    });
  }
}

interface RawReply extends Pick<IncomingMessage, "headers"> {
  readonly status: number;
  readonly text: string;
}

async function readAnswer(incoming: IncomingMessage): Promise<RawReply> {
  incoming.setEncoding("utf8");
  let text = "";
  for await (const part of incoming) text += String(part);
  return { status: incoming.statusCode ?? 0, text, headers: incoming.headers };
}

function addressOf(url: string, key: string): string {
  return `${url}/cache/${encodeURIComponent(key)}`;
}

function refusal(status: number, text: string): Reply {
  let code = "";
  try {
    code = String((JSON.parse(text) as { readonly code?: unknown }).code);
  } catch {
    // Something else than a region has answered.
  }
  if (NOTHING_DONE.has(code)) return { kind: "refused", code };
  return { kind: "unanswered", why: `HTTP ${status} ${code}` };
}
