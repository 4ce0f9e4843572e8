/**
 * Which web pages may ask a program. A browser names the origin of a page with every request that goes to another origin
 * in a way that the page could read the answer, or that changes something; and a page cannot have it name another. So a
 * request that names a strange origin is refused, whatever it asks for. Programs other than browsers name no origin.
 */
import { MeridianError, type AllowedOrigins } from "@meridian/protocol";

import type { HeaderList } from "./answer.ts";

/** What lets any page read an answer, with all its headers. */
const OPEN: HeaderList = ["Access-Control-Allow-Origin", "*", "Access-Control-Expose-Headers", "*"];

/**
 * What goes with a preflight, and with the refusal of a page: any page may learn that it may not ask, and nothing else.
 * Otherwise its script could not tell a refusal from a node that is gone.
 */
export const REFUSAL_HEADERS: HeaderList = ["Access-Control-Allow-Origin", "*"];

/** Decides which pages may ask. */
export class OriginPolicy {
  readonly #allowed: ReadonlySet<string> | "*";
  readonly #own: ReadonlySet<string>;
  /** The headers of an answer to a request that names no origin. They say that the answer depends on the origin, because a cache may keep it. */
  readonly unnamed: HeaderList;

  /** The pages of `own` URLs may ask, too: those of the program itself, where only this machine reaches it. */
  constructor(allowed: AllowedOrigins, own: readonly string[] = []) {
    this.#allowed = allowed === "*" ? "*" : new Set(allowed);
    this.#own = new Set(own.filter((url) => URL.canParse(url)).map((url) => new URL(url).origin));
    if (allowed === "*") this.unnamed = OPEN;
    else this.unnamed = allowed.length === 0 ? [] : ["Vary", "Origin"];
  }

  /** Whether a page of `origin`, as the header `Origin` names it, may ask. */
  allows(origin: string): boolean {
    return this.#allowed === "*" || this.#allowed.has(origin) || this.#own.has(origin);
  }

  /** The headers that let a page of an allowed origin read the answer. */
  headers(origin: string | undefined): HeaderList {
    if (origin === undefined || this.#allowed === "*" || !this.#allowed.has(origin)) {
      return this.unnamed;
    }
    return [
      ...this.unnamed,
      "Access-Control-Allow-Origin",
      origin,
      "Access-Control-Expose-Headers",
      "*",
    ];
  }

  /** Throws `ORIGIN_NOT_ALLOWED` if a request names an origin whose pages may not ask. */
  check(origin: string | undefined): void {
    if (origin === undefined || this.allows(origin)) return;
    const named = origin.slice(0, 200);
    throw new MeridianError(
      "ORIGIN_NOT_ALLOWED",
      `Expected a request of a page whose origin is among \`--allow-origin\`, got one of \`${named}\``,
      { details: { origin: named } },
    );
  }
}
