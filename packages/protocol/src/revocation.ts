/**
 * The revocation of a token is replicated as an entry with an empty value under a reserved key: `\0revoked/` and the id of the token. The
 * entry expires when the token does; a revocation without expiry is kept for ever.
 */
import { MeridianError } from "./errors.ts";

/** The prefix of the keys of revocations. */
export const REVOCATION_PREFIX = "\0revoked/";

/** The longest id of a token. */
const TOKEN_ID_LENGTH_MAX = 200;

/** Whether a text can be the id of a token: printable ASCII without spaces, at most 200 characters. */
export function isTokenId(id: string): boolean {
  return /^[!-~]+$/.test(id) && id.length <= TOKEN_ID_LENGTH_MAX;
}

/** The key of the entry that revokes the token of that id. Throws `INVALID_ARGUMENT` unless `isTokenId(id)`. */
export function revocationKey(id: string): string {
  if (isTokenId(id)) return REVOCATION_PREFIX + id;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected the id of a token (\`jti\`): 1 to ${TOKEN_ID_LENGTH_MAX} characters of printable ASCII, got \`${id.slice(0, 100)}\``,
  );
}

/** The id of the token that the entry under `key` revokes; undefined if `key` is not that of a revocation. */
export function revokedId(key: string): string | undefined {
  return key.startsWith(REVOCATION_PREFIX) ? key.slice(REVOCATION_PREFIX.length) : undefined;
}
