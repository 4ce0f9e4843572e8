/** Asks a URL for the `/status` of a region or directory. Any program may answer there, so the answer is bounded and not trusted. */
import { once } from "node:events";
import { request, type IncomingMessage, type RequestOptions } from "node:http";
import { request as secureRequest } from "node:https";
import type { SecureContextOptions } from "node:tls";

import { connectionFailure } from "@meridian/protocol";

/** The certificate that is shown to the program, and the authorities that are trusted. */
export type Credentials = SecureContextOptions & Pick<RequestOptions, "headers">;

/** A JSON object of which nothing is known. */
export type Json = Readonly<Record<string, unknown>>;

/** What was answered. */
export interface AskedStatus {
  /** The body; empty where it is no JSON object. */
  readonly status: Json;
  /** The status code of HTTP. */
  readonly code: number;
  /** What the server calls itself. */
  readonly server: string | undefined;
}

/** How long an answer may take, in milliseconds, and how much of it is read, in bytes. */
const PATIENCE_MS = 2_000;
const ANSWER_BYTES_MAX = 256 * 1024;

/** Asks `GET /status` at a URL without a last slash. Resolves to `silent (…)` where nothing answers in time. Never rejects. */
export async function askStatus(
  url: string,
  credentials: Credentials = {},
): Promise<AskedStatus | string> {
  try {
    const response = await ask(`${url}/status`, credentials);
    const text = await readStart(response);
    const { statusCode = 0, headers } = response;
    const server = [headers["server"]].flat()[0];
    return { status: parseObject(text), code: statusCode, server };
  } catch (cause) {
    return `silent (${reasonOf(cause)})`;
  }
}

async function ask(url: string, credentials: Credentials): Promise<IncomingMessage> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const options = { signal, agent: false };
  const asked = url.startsWith("https:")
    ? secureRequest(url, { ...options, ...credentials })
    : request(url, { ...options, headers: credentials.headers });
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  // The timeout ends both the request and the reading of its answer.
  asked.on("error", () => {});
  return response;
}

/** Reads an answer up to the bound. A longer answer is not the status of one of our programs. */
async function readStart(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES_MAX) break;
  }
  return Buffer.concat(chunks).toString();
}

function parseObject(text: string): Json {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

/** Whether a value is an object with members. */
export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function reasonOf(cause: unknown): string {
  if (cause instanceof Error && cause.name === "AbortError") return "no answer";
  const { code, message, isUntrusted } = connectionFailure(cause);
  return isUntrusted ? message : (code ?? message);
}
