/**
 * Decides which requests a playground answers: those of programs on this machine, and of the pages that it has served itself. A page of another
 * origin, or one that has got another name for this address, is refused; and what changes the cluster needs the token that stands in the playground's
 * own page.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

import { MeridianError } from "@meridian/protocol";

/** The header that the page sends its token in. */
const TOKEN_HEADER = "x-meridian-dev";

/** Throws `FORBIDDEN` for a request that was sent to another name, or by a page of another origin. */
export function checkOrigin({ host = "", origin }: IncomingHttpHeaders, port: number): void {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  if (!hosts.includes(host)) {
    const said = `Expected a request to ${hosts.join(" or ")}, got one to \`${host.slice(0, 100)}\``;
    throw new MeridianError("FORBIDDEN", said);
  }
  if (origin === undefined || origin === `http://${host}`) return;
  const said = `Expected a page of http://${host}, got one of \`${origin.slice(0, 100)}\``;
  throw new MeridianError("FORBIDDEN", said);
}

/** Throws `UNAUTHENTICATED` for a request without the token. */
export function checkToken(headers: IncomingHttpHeaders, token: string): void {
  const given = headers[TOKEN_HEADER];
  if (typeof given === "string" && timingSafeEqual(digestOf(given), digestOf(token))) return;
  const said = `Expected the header \`${TOKEN_HEADER}\` with the token of the playground's page, got ${given === undefined ? "none" : "another one"}`;
  throw new MeridianError("UNAUTHENTICATED", said);
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
