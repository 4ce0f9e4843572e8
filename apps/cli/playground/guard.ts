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

/**
 * Throws `FORBIDDEN` for a request that was sent to another name, or by a page of another origin. Browsers name no origin for what a page only shows,
 * such as an image, but say that it is for another site.
 */
export function checkOrigin(headers: IncomingHttpHeaders, port: number): void {
  const { host = "", origin, "sec-fetch-site": site, "sec-fetch-mode": mode } = headers;
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  if (!hosts.includes(host)) {
    const said = `Expected a request to ${hosts.join(" or ")}, got one to \`${host.slice(0, 100)}\``;
    throw new MeridianError("FORBIDDEN", said);
  }
  if (origin === undefined) {
    const isOwn = site === undefined || site === "same-origin" || site === "none";
    // Whoever follows a link to the playground sees it; the page that has the link does not.
    if (isOwn || mode === "navigate") return;
    throw new MeridianError(
      "FORBIDDEN",
      "Expected a page of the playground, got one of another site",
    );
  }
  if (origin === `http://${host}`) return;
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
