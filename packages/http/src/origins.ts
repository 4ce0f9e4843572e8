/**
 * Which web pages may write. A browser names the origin of the page with every request that changes something, and a
 * page cannot have it name another; so a write that names a strange origin is refused, whether or not the browser
 * has asked first. Reads are open to every page, and programs other than browsers name no origin.
 */
import { MeridianError } from "@meridian/protocol";

import type { HeaderList } from "./answer.ts";

/** The origins whose pages may write: these, or every one. */
export type AllowedOrigins = readonly string[] | "*";

/**
 * Reads a list of origins with commas between them, or `*` for every one.
 * Throws `INVALID_CONFIG` for anything that is not the http or https origin of a page.
 */
export function parseOrigins(text: string): AllowedOrigins {
  if (text.trim() === "*") return "*";
  return text.split(",").map((item) => parseOrigin(item.trim()));
}

function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isWeb = url?.protocol === "http:" || url?.protocol === "https:";
  // A name with a wildcard would parse, and match nothing.
  if (isWeb && url.href === `${url.origin}/` && !text.includes("*")) return url.origin;
  throw new MeridianError(
    "INVALID_CONFIG",
    `expected origins such as \`https://app.example.com\` with commas between them, or \`*\`, got \`${text.slice(0, 200)}\``,
  );
}

/**
 * What lets a page of any origin read an answer: it may be shared by caches, whoever asked first. Which pages may
 * write is decided by refusing what others send, so these are the same for all.
 */
export const CORS_HEADERS: HeaderList = [
  "Access-Control-Allow-Origin",
  "*",
  "Access-Control-Expose-Headers",
  "*",
];

/** Decides which pages may write. */
export class OriginPolicy {
  readonly #allowed: ReadonlySet<string> | "*";

  /** `own` are the URLs under which the node itself is reached: its own pages may write. */
  constructor(allowed: AllowedOrigins, own: readonly string[]) {
    const origins = own.filter((url) => URL.canParse(url)).map((url) => new URL(url).origin);
    this.#allowed = allowed === "*" ? "*" : new Set([...allowed, ...origins]);
  }

  /** Whether a page of `origin`, as the header `Origin` names it, may write. */
  allows(origin: string | undefined): boolean {
    return origin !== undefined && (this.#allowed === "*" || this.#allowed.has(origin));
  }

  /** What lets a page read the answer to a request: any answer to a page, a refusal too. */
  headers(method: string, origin: string | undefined): HeaderList {
    const isRead = method === "GET" || method === "HEAD" || method === "OPTIONS";
    return isRead || origin !== undefined ? CORS_HEADERS : [];
  }

  /** Throws `ORIGIN_NOT_ALLOWED` if a write names an origin whose pages may not. */
  check(origin: string | undefined): void {
    if (origin === undefined || this.allows(origin)) return;
    const named = origin.slice(0, 200);
    throw new MeridianError(
      "ORIGIN_NOT_ALLOWED",
      `Expected a write of a page whose origin is among \`--allow-origin\`, got one of \`${named}\``,
      { details: { origin: named } },
    );
  }
}
