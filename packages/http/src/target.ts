import { MeridianError } from "@meridian/protocol";

/** Where a request is addressed to, still percent-encoded. */
export interface Target {
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
}

/** Splits the URL of a request, whole or from its path on. */
export function targetOf(url: string): Target {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  const hash = url.indexOf("#", start);
  const end = hash === -1 ? url.length : hash;
  const mark = url.indexOf("?", start);
  if (mark === -1 || mark > end) return { path: url.slice(start, end), query: "" };
  return { path: url.slice(start, mark), query: url.slice(mark + 1, end) };
}

/**
 * Path and query of a request's target, which a client may send with the scheme and host in front (RFC 9112, section
 * 3.2.2); undefined for a target that names no path, or one that URL parsers read in several ways.
 */
export function pathAndQueryOf(target: string): string | undefined {
  const [, host = "", path = target] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target) ?? [];
  return isHost(host) && /^\/[^\\?]*(\?|$)/.test(path) ? path : undefined;
}

/** Whether `text` is a host, perhaps with a port: a name, an address, or nothing (RFC 3986, section 3.2). */
export function isHost(text: string): boolean {
  return /^([\w.~!$&'()*+,;=%-]*|\[[\da-f:.]+(%[\w.~%-]+)?\])(:\d{0,5})?$/i.test(text);
}

/** The text that percent escapes stand for. Throws `code` for escapes that are not UTF-8. */
export function decodeEscapes(
  text: string,
  code: "INVALID_KEY" | "INVALID_ARGUMENT" = "INVALID_ARGUMENT",
): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new MeridianError(
      code,
      `Expected percent escapes of UTF-8, got \`${text.slice(0, 100)}\``,
      { cause },
    );
  }
}
