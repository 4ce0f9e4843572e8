/** Sends the requests of one session to any region, with the session's position token. */
import { Agent, request, type IncomingMessage } from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";

import { asMeridianError, parseStamp, type ErrorCode, type Stamp } from "@meridian/protocol";

/** The result of a request. */
export type Reply =
  | {
      readonly kind: "done";
      /** The value that was read; undefined if there is none. */
      readonly value?: string | undefined;
      /** The stamp of the entry that was read or written. */
      readonly stamp?: Stamp | undefined;
      /** When the written entry expires, in milliseconds since the Unix epoch; 0 for never. */
      readonly expiresAtMs: number;
    }
  /** The region has done nothing, and said so. */
  | { readonly kind: "refused"; readonly code: string }
  /** There was no clear answer, so the request may have been done or not. */
  | { readonly kind: "unanswered"; readonly why: string };

const PATIENCE_MS = 1_500;

/** The error codes that say that a region has done nothing. */
const NOTHING_DONE: ReadonlySet<string> = new Set<ErrorCode>([
  "POSITION_NOT_REACHED",
  "NODE_SYNCING",
  "NODE_DRAINING",
  "OVERLOADED",
]);

type Method = "GET" | "PUT" | "DELETE";

/** How a session reaches regions. It must have one request under way at a time. */
export interface SessionRequests {
  /** Sets a key at the region with that URL. `ttlMs` 0 means for ever. */
  set(url: string, key: string, value: string, ttlMs: number): Promise<Reply>;
  delete(url: string, key: string): Promise<Reply>;
  get(url: string, key: string): Promise<Reply>;
  /** Closes the session's connections. */
  close(): void;
}

/** What a session needs at regions that use TLS and demand tokens. */
export interface SessionCredentials {
  /** The certificate of the authority to trust, as PEM. */
  readonly ca: string;
  readonly token: string;
}

/** One session over HTTP. */
export class RegionRequests implements SessionRequests {
  readonly #patienceMs: number;
  readonly #agent: Agent;
  readonly #request: typeof request;
  readonly #authorization: { readonly authorization?: string };
  #position: string | undefined;

  /** A request without an answer after `patienceMs` counts as unanswered. With credentials, all URLs are to begin with `https:`. */
  constructor(patienceMs: number = PATIENCE_MS, credentials?: SessionCredentials) {
    this.#patienceMs = patienceMs;
    this.#authorization =
      credentials === undefined ? {} : { authorization: `Bearer ${credentials.token}` };
    this.#request = credentials === undefined ? request : secureRequest;
    this.#agent =
      credentials === undefined
        ? new Agent({ keepAlive: true })
        : new SecureAgent({ keepAlive: true, ca: credentials.ca });
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
        ...this.#authorization,
        ...(position === undefined ? {} : { "meridian-position": position }),
        ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }),
      };
      const signal = AbortSignal.timeout(this.#patienceMs);
      const outgoing = this.#request(target, { method, headers, agent: this.#agent, signal });
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
    // The answer is no JSON, so it did not come from a region.
  }
  return failedReply(code, `HTTP ${status} ${code}`);
}

/** The result of a request that was answered with an error code. `why` says what came, where nobody knows whether it was done. */
export function failedReply(code: string, why: string): Reply {
  return NOTHING_DONE.has(code) ? { kind: "refused", code } : { kind: "unanswered", why };
}
