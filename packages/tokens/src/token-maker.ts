/** Makes keys, and the tokens that they sign: JSON Web Tokens, signed by Ed25519. */
import { MeridianError } from "@meridian/protocol";
import { SCOPES, type Principal } from "@meridian/protocol/http-api";
import { randomIdentity, type Random } from "@meridian/runtime";
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  SignJWT,
  type JWK,
} from "jose";

/** The only signature algorithm that programs accept. */
export const ALGORITHM = "EdDSA";

/** A private key, as a JSON Web Key with an id. */
export type SigningKey = JWK & { readonly kid: string };

/** What a new token grants. */
export interface TokenWish extends Omit<Principal, "id" | "issuedAtMs" | "key"> {
  /** The cluster whose programs accept the token. */
  readonly cluster: string;
  /** When the token is issued, in milliseconds since the Unix epoch. */
  readonly nowMs: number;
}

/** Makes a key. */
export async function makeSigningKey(): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { crv: "Ed25519", extractable: true });
  const key = await exportJWK(privateKey);
  return { ...key, alg: ALGORITHM, use: "sig", kid: await calculateJwkThumbprint(key) };
}

/** The public halves of keys, as the JSON Web Key Set by which programs verify tokens. */
export function publicKeysOf(keys: readonly SigningKey[]): { readonly keys: readonly object[] } {
  return { keys: keys.map(({ kty, crv, x, alg, use, kid }) => ({ kty, crv, x, alg, use, kid })) };
}

/** A signed token, and the id by which it can be revoked. */
export interface MadeToken {
  readonly token: string;
  readonly id: string;
}

/** Makes a token. Throws `INVALID_ARGUMENT` for a combination of scope, prefixes, nodes and expiry that no program would accept. */
export async function createToken(
  key: SigningKey,
  wish: TokenWish,
  random: Random,
): Promise<MadeToken> {
  checkWish(wish);
  const { scope, prefixes, nodes } = wish;
  const id = `${randomIdentity(random).toString(36)}${randomIdentity(random).toString(36)}`;
  const token = await new SignJWT({ scope, ...(scope === "node" ? { nodes } : { prefixes }) })
    .setProtectedHeader({ alg: ALGORITHM, kid: key.kid, typ: "JWT" })
    .setJti(id)
    .setSubject(wish.subject)
    .setAudience(wish.cluster)
    .setIssuedAt(Math.floor(wish.nowMs / 1_000))
    .setExpirationTime(Math.floor(wish.expiresAtMs / 1_000))
    .sign(await importJWK(key, ALGORITHM));
  return { token, id };
}

function checkWish({ scope, prefixes, nodes, nowMs, expiresAtMs }: TokenWish): void {
  const problem = !SCOPES.includes(scope)
    ? `Expected a scope out of ${SCOPES.join(", ")}, got \`${String(scope)}\``
    : scope === "node" && nodes.length === 0
      ? "Expected the ids of nodes for a token of scope `node`, got none"
      : scope !== "node" && (nodes.length > 0 || prefixes.length === 0)
        ? "Expected prefixes and no ids of nodes for a token of that scope, got others"
        : scope === "admin" && !prefixes.includes("")
          ? "Expected a token of scope `admin` for all keys, got one for a prefix"
          : expiresAtMs <= nowMs
            ? "Expected a token that is good for a while, got one that has expired"
            : undefined;
  if (problem !== undefined) throw new MeridianError("INVALID_ARGUMENT", problem);
}
