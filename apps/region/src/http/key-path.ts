import { decodeEscapes } from "@meridian/http";
import { checkClientKey } from "@meridian/protocol";

/** The path under which keys lie. */
export const KEY_PREFIX = "/cache/";

/** The key that a path under `/cache/` names. Throws `INVALID_KEY`. */
export function keyOfPath(path: string): string {
  return checkClientKey(decodeEscapes(path.slice(KEY_PREFIX.length), "INVALID_KEY"));
}
