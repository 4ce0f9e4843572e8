import { MeridianError } from "./errors.ts";
import { checkAddress } from "./validate.ts";

/**
 * Reads the setting of an `http:` or `https:` URL and removes slashes from its end. `ws:` is read as `http:`, `wss:` as `https:`.
 * Throws `INVALID_CONFIG` for every other text, and for a URL with a query, a fragment or a user: callers append paths to the URL.
 */
export function parseUrl(given: string): string {
  const text = given.replace(/^ws(?=s?:)/i, "http");
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isWeb = url?.protocol === "http:" || url?.protocol === "https:";
  if (isWeb && !/[\s?#@\\]/.test(text)) return withoutTrailingSlashes(text);
  throw new MeridianError(
    "INVALID_CONFIG",
    `expected an http or https URL without query, fragment and user, got \`${given}\``,
  );
}

/** A URL to which paths are appended: without the slashes at its end. */
export function withoutTrailingSlashes(url: string): string {
  let end = url.length;
  while (url[end - 1] === "/") end -= 1;
  return url.slice(0, end);
}

/**
 * Reads the setting of an IPv4 or IPv6 address and returns its canonical text, so that equal addresses have equal texts. Throws
 * `INVALID_ARGUMENT` for every other text, such as an address with brackets, a port or a zone.
 */
export function parseAddress(text: string): string {
  checkAddress(text);
  return text.includes(":") ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text;
}

/** Reads the setting of a URL that `isWebOrigin` takes, without a slash at its end. Throws `INVALID_CONFIG` for anything else. */
export function parseWebOrigin(text: string): string {
  if (isWebOrigin(text)) return text.replace(/\/$/, "");
  throw new MeridianError(
    "INVALID_CONFIG",
    `expected an http or https URL without a path, got \`${text}\``,
  );
}

/** Reads URLs with commas between them, each as `parseUrl` does. Throws `INVALID_CONFIG` for a URL that is given twice, too. */
export function parseUrls(text: string): readonly string[] {
  const urls = text.split(",").map((part) => parseUrl(part.trim()));
  if (new Set(urls).size === urls.length) return urls;
  throw new MeridianError("INVALID_CONFIG", `expected each URL once, got \`${text}\``);
}

/** The longest host name has 253 characters. */
const WEB_ORIGIN_UNITS_MAX = 300;

/** Whether it is an `http:` or `https:` URL of a host and no more: no path, query, fragment or user. */
export function isWebOrigin(text: string): boolean {
  if (text.length > WEB_ORIGIN_UNITS_MAX) return false;
  return /^https?:\/\/[^\s\\/?#@]+\/?$/i.test(text) && URL.canParse(text);
}

/** The origins whose web pages may send requests: the listed ones, or all with `*`. */
export type AllowedOrigins = readonly string[] | "*";

/**
 * Reads the setting of origins with commas between them, or `*` for every one.
 * Throws `INVALID_CONFIG` for anything that is not the http or https origin of a page.
 */
export function parseOrigins(text: string): AllowedOrigins {
  if (text.trim() === "*") return "*";
  return text.split(",").map((item) => parseOrigin(item.trim()));
}

function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isWeb = url?.protocol === "http:" || url?.protocol === "https:";
  // `https://*.example.com` parses as a URL, and would match no origin.
  if (isWeb && url.href === `${url.origin}/` && !text.includes("*")) return url.origin;
  throw new MeridianError(
    "INVALID_CONFIG",
    `expected origins such as \`https://app.example.com\`, or \`*\` alone, got \`${text.slice(0, 200)}\``,
  );
}

/** Reads the setting of host names with commas between them, in lower case. Throws `INVALID_CONFIG` for anything else. */
export function parseHosts(text: string): readonly string[] {
  return text.split(",").map((item) => {
    const name = item.trim().toLowerCase();
    if (/^[a-z\d_]([a-z\d_.-]*[a-z\d_])?$/.test(name)) return name;
    throw new MeridianError(
      "INVALID_CONFIG",
      `expected names such as \`cache.example.com\`, got \`${item.slice(0, 200)}\``,
    );
  });
}
