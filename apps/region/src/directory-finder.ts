/**
 * Tells the operator what answers at the URLs of the directories. A node that no directory has ever admitted is alone, mostly because
 * `--directory` names a region, another program, or nothing. `DirectoryFinder` asks each URL, logs what answers, and asks again until a
 * directory has admitted the node.
 */
import type { Clock, Logger } from "@meridian/runtime";

import { askStatus, isObject, type AskedStatus, type Credentials } from "./ask-status.ts";

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
  const asked = await askStatus(url, credentials);
  return typeof asked === "string" ? asked : describeAnswer(asked);
}

/** What it is that has answered, in words. */
export function describeAnswer({ status, code, server }: AskedStatus): string {
  const cluster = nameOf(status["cluster"]);
  if (isObject(status["replica"])) {
    return `no directory but the region ${nameOf(status["id"])} of cluster ${cluster}`;
  }
  if (status["code"] === "UNAUTHENTICATED") return "one that wants a good token (--token-file)";
  if (typeof status["logId"] === "number") return `a directory of cluster ${cluster}`;
  const named = server === undefined ? "" : `, ${server.slice(0, 40)}`;
  return `another program (HTTP ${code}${named})`;
}

function nameOf(value: unknown): string {
  return typeof value === "string" ? `\`${value.slice(0, 63)}\`` : "unknown";
}
