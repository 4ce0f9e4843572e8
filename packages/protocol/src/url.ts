import { MeridianError } from "./errors.ts";

/** Reads the setting of an `http:` or `https:` URL, and takes slashes from its end. Throws `INVALID_CONFIG` for anything else. */
export function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return text.replace(/\/+$/, "");
  throw new MeridianError("INVALID_CONFIG", `expected an http or https URL, got \`${text}\``);
}

/** Reads a list of such URLs, with commas. Throws `INVALID_CONFIG` also for one that is there twice. */
export function parseUrls(text: string): readonly string[] {
  const urls = text.split(",").map((part) => parseUrl(part.trim()));
  if (new Set(urls).size === urls.length) return urls;
  throw new MeridianError("INVALID_CONFIG", `expected each URL once, got \`${text}\``);
}

/** Whether it is an `http:` or `https:` URL of a host and no more: no path, query, fragment or user. */
export function isWebOrigin(text: string): boolean {
  return /^https?:\/\/[^\s\\/?#@]+\/?$/i.test(text) && URL.canParse(text);
}
