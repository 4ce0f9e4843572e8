/**
 * Tells the operator what answers at the URLs of the directories. A node that no directory has ever admitted is alone, mostly because
 * `--directory` names a region, another program, or nothing. `DirectoryFinder` asks each URL, logs what answers, and asks again until a
 * directory has admitted the node.
 */
import { once } from "node:events";
import { request, type IncomingMessage, type RequestOptions } from "node:http";
import { request as secureRequest } from "node:https";
import type { SecureContextOptions } from "node:tls";

import type { Clock, Logger } from "@meridian/runtime";

/** How a `DirectoryFinder` asks. */
export interface DirectoryFinderOptions {
  /** The URLs of the directories, without a last slash. */
  readonly urls: readonly string[];
  /** The credentials for asking over TLS, read anew each time. */
  credentials(): Credentials;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether any directory has ever admitted the node. */
  isAdmitted(): boolean;
}

/** The delay before the first look, and between later ones, in milliseconds. */
const FIRST_MS = 3_000;
const AGAIN_MS = 5_000;

/** How long an answer may take, in milliseconds, and how much of it is read, in bytes. */
const PATIENCE_MS = 2_000;
const ANSWER_BYTES_MAX = 256 * 1024;

/** What directories are shown, and trusted by. */
type Credentials = SecureContextOptions & Pick<RequestOptions, "headers">;

type Json = Readonly<Record<string, unknown>>;

/** Asks the URLs of the directories what answers there, until a directory has admitted the node. */
export class DirectoryFinder {
  readonly #options: DirectoryFinderOptions;
  #found: string | null = null;
  #cancel: () => void = () => {};
  #isStopped = false;

  constructor(options: DirectoryFinderOptions) {
    this.#options = options;
  }

  /** What was last found, in words; null while nobody has looked, and once the node is admitted. */
  get found(): string | null {
    return this.#options.isAdmitted() ? null : this.#found;
  }

  start(): void {
    this.#lookAfter(FIRST_MS);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  #lookAfter(delayMs: number): void {
    if (this.#isStopped || this.#options.isAdmitted()) return;
    this.#cancel = this.#options.clock.after(delayMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { urls, logger } = this.#options;
    const credentials = this.#options.credentials();
    const seen = await Promise.all(
      urls.map(async (url) => `${url} is ${await lookAt(url, credentials)}`),
    );
    const found = seen.join("; ");
    if (found !== this.#found && !this.#isStopped && !this.#options.isAdmitted()) {
      logger.error("no directory has ever admitted this node", { found });
    }
    this.#found = found;
    this.#lookAfter(AGAIN_MS);
  }
}

/** What answers at a URL: `the region …`, `a directory of cluster …`, `another program (…)`, or `silent (…)`. Never throws. */
export async function lookAt(url: string, credentials: Credentials = {}): Promise<string> {
  let response: IncomingMessage;
  let text: string;
  try {
    response = await ask(`${url}/status`, credentials);
    text = await readStart(response);
  } catch (cause) {
    return `silent (${reasonOf(cause)})`;
  }
  const status = parseObject(text);
  const cluster = nameOf(status["cluster"]);
  if (isObject(status["replica"])) {
    return `no directory but the region ${nameOf(status["id"])} of cluster ${cluster}`;
  }
  if (status["code"] === "UNAUTHENTICATED") return "one that wants a good token (--token-file)";
  if (typeof status["logId"] === "number") return `a directory of cluster ${cluster}`;
  const server = response.headers["server"];
  const named = typeof server === "string" ? `, ${server.slice(0, 40)}` : "";
  return `another program (HTTP ${response.statusCode}${named})`;
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

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function nameOf(value: unknown): string {
  return typeof value === "string" ? `\`${value.slice(0, 63)}\`` : "unknown";
}

function reasonOf(cause: unknown): string {
  if (cause instanceof Error && cause.name === "AbortError") return "no answer";
  const inner: unknown = cause instanceof Error ? (cause.cause ?? cause) : cause;
  const { code } = isObject(inner) ? inner : {};
  if (typeof code === "string") return code;
  return inner instanceof Error ? inner.message : String(inner);
}
