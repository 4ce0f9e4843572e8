import { decodeEscapes } from "@meridian/http";
import { checkClientKey, MeridianError } from "@meridian/protocol";

/** The path under which keys lie. */
export const KEY_PREFIX = "/cache/";

/** The route of all keys. */
export const KEY_PATH = "/cache/{key}";

/** A segment that URL parsers and proxies take out of a path, escaped or not (RFC 3986, section 5.2.4). */
const DOT_SEGMENT = /(^|\/)(\.|%2e){1,2}(\/|$)/i;

/**
 * The key that a path under `/cache/` names. Throws `INVALID_KEY`, also for a path with dot segments: parties on the way
 * disagree about what it names. A key with such segments is named with its slashes escaped, as `a%2F..%2Fb`.
 */
export function keyOfPath(path: string): string {
  const encoded = path.slice(KEY_PREFIX.length);
  if (DOT_SEGMENT.test(encoded)) {
    throw new MeridianError(
      "INVALID_KEY",
      `Expected a key without \`.\` and \`..\` between its slashes, got \`${encoded.slice(0, 100)}\`; escape the slashes, or use \`/cache?key=\``,
    );
  }
  return checkClientKey(decodeEscapes(encoded, "INVALID_KEY"));
}
