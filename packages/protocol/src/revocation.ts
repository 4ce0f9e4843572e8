/**
 * Revoked tokens travel as entries under reserved keys: `\0revoked/`, and the id of the token. The value is empty. The entry
 * expires once the token has; one that expires never is kept for ever.
 */
import { MeridianError } from "./errors.ts";

/** What the keys of revocations begin with. */
export const REVOCATION_PREFIX = "\0revoked/";

/** The longest id of a token. */
const TOKEN_ID_LENGTH_MAX = 200;

/** Whether a text can be the id of a token: printable ASCII without spaces, at most 200 characters. */
export function isTokenId(id: string): boolean {
  return /^[!-~]+$/.test(id) && id.length <= TOKEN_ID_LENGTH_MAX;
}

/** The key of the entry that says that a token has been revoked. Throws `INVALID_ARGUMENT` for what is no id. */
export function revocationKey(id: string): string {
  if (isTokenId(id)) return REVOCATION_PREFIX + id;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected the id of a token (\`jti\`): 1 to ${TOKEN_ID_LENGTH_MAX} characters of printable ASCII, got \`${id.slice(0, 100)}\``,
  );
}

/** The id of the token that an entry of that key revokes; undefined for a key of anything else. */
export function revokedId(key: string): string | undefined {
  return key.startsWith(REVOCATION_PREFIX) ? key.slice(REVOCATION_PREFIX.length) : undefined;
}
