/**
 * Verifies tokens by public keys from a file, without asking another server. It remembers verified tokens, so that the signature
 * of a token is checked once, not for each request.
 */
import { readFile, stat } from "node:fs/promises";

import { asMeridianError, isTokenId, MeridianError } from "@meridian/protocol";
import { SCOPES, type Principal, type Scope } from "@meridian/protocol/http-api";
import type { Clock, Logger } from "@meridian/runtime";
import { createLocalJWKSet, errors, jwtVerify, type JSONWebKeySet, type LocalJWKSet } from "jose";

import type { Revocations } from "./revocations.ts";
import { ALGORITHM } from "./token-maker.ts";

/** How a verifier is made. */
export interface TokenVerifierOptions {
  /** The path of a JSON Web Key Set with public keys. */
  readonly path: string;
  /** The cluster that tokens must be issued for. */
  readonly cluster: string;
  readonly revocations: Revocations;
  readonly clock: Clock;
  readonly logger: Logger;
}

const TOKEN_LENGTH_MAX = 4_096;
const KEPT_MAX = 10_000;
const WATCH_MS = 5_000;
/** How far the clock of the token's issuer may differ. */
const TOLERANCE_SECONDS = 10;

/** The public keys of a file. */
interface TrustedKeys {
  readonly find: LocalJWKSet;
  readonly trusted: ReadonlySet<string>;
  /** The key of a token that was verified, by the id that the token names. */
  readonly keyOf: (id: string | undefined) => string;
}

/** Tells valid tokens from others. */
export class TokenVerifier {
  readonly #options: TokenVerifierOptions;
  /** Verified tokens, by the text of their `Authorization` header; the oldest first. */
  readonly #kept = new Map<string, Principal>();
  #keys: TrustedKeys;
  #signature: string;
  #isStopped = false;
  #cancel: () => void = () => {};
  readonly #callbacks: (() => void)[] = [];

  private constructor(options: TokenVerifierOptions, keys: TrustedKeys, signature: string) {
    this.#options = options;
    this.#keys = keys;
    this.#signature = signature;
    options.revocations.onRevoked(() => this.#void());
  }

  /** Reads the keys. Rejects with `INVALID_CONFIG`. */
  static async open(options: TokenVerifierOptions): Promise<TokenVerifier> {
    const signature = await signatureOf(options.path);
    return new TokenVerifier(options, await readKeys(options.path), signature);
  }

  /** Starts watching the file. */
  watch(): void {
    this.#lookLater();
  }

  /** Stops watching the file. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /** Reads the keys again and logs the result. Tokens whose key is gone become invalid. Never rejects. */
  async reload(): Promise<void> {
    const { path, logger } = this.#options;
    this.#signature = await signatureOf(path);
    try {
      this.#keys = await readKeys(path);
      this.#void();
      logger.info("token keys were read again");
    } catch (cause) {
      const { code, message } = asMeridianError(cause);
      logger.error("token keys cannot be used; the previous ones stay in use", {
        code,
        why: message,
      });
    }
  }

  /** Calls `callback` when tokens that were valid may have become invalid. */
  onVoid(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  /** Whether a token is good no more that was verified: it has been revoked since, or its key is trusted no more. */
  isVoid(principal: Principal): boolean {
    return !this.#keys.trusted.has(principal.key) || this.#options.revocations.has(principal);
  }

  /** Throws `REVOCATIONS_UNKNOWN`, as `Revocations.checkAge` does. */
  checkAge(principal: Principal): void {
    this.#options.revocations.checkAge(principal);
  }

  /** What an `Authorization` header grants, if its token was verified before; undefined if `verify` has to be called. */
  known(authorization: string | undefined): Principal | undefined {
    if (authorization === undefined) return undefined;
    const kept = this.#kept.get(authorization);
    if (kept === undefined || kept.expiresAtMs > this.#options.clock.nowMs()) return kept;
    this.#kept.delete(authorization);
    return undefined;
  }

  /** What an `Authorization` header grants. Rejects with `UNAUTHENTICATED` unless its token is valid. */
  async verify(authorization: string | undefined): Promise<Principal> {
    const token = tokenOf(authorization);
    const { cluster, clock } = this.#options;
    const keys = this.#keys;
    let principal: Principal;
    try {
      const { payload, protectedHeader } = await jwtVerify(token, keys.find, {
        algorithms: [ALGORITHM],
        audience: cluster,
        requiredClaims: ["exp", "iat", "jti"],
        clockTolerance: TOLERANCE_SECONDS,
        currentDate: new Date(clock.nowMs()),
      });
      if ((payload.iat ?? 0) * 1_000 > clock.nowMs() + TOLERANCE_SECONDS * 1_000) throw NOT_YET;
      principal = { ...grantOf(payload), key: keys.keyOf(protectedHeader.kid) };
    } catch (cause) {
      throw refusalOf(cause);
    }
    if (this.#options.revocations.has(principal)) throw REVOKED;
    // What is begun with the token may go on for long, and is not there yet to be ended with those of keys that are gone.
    if (keys !== this.#keys) return this.verify(authorization);
    this.#keep(authorization ?? "", principal);
    return principal;
  }

  #keep(authorization: string, principal: Principal): void {
    if (this.#kept.size >= KEPT_MAX) {
      for (const oldest of this.#kept.keys()) {
        this.#kept.delete(oldest);
        break;
      }
    }
    this.#kept.set(authorization, principal);
  }

  #void(): void {
    this.#kept.clear();
    for (const callback of this.#callbacks) callback();
  }

  #lookLater(): void {
    if (this.#isStopped) return;
    this.#cancel = this.#options.clock.after(WATCH_MS, () => {
      void signatureOf(this.#options.path)
        .then((signature) => (signature === this.#signature ? undefined : this.reload()))
        .then(() => this.#lookLater());
    });
  }
}

const NOT_YET = new MeridianError(
  "UNAUTHENTICATED",
  "Expected a token that is good now, got one that is not good yet; a clock may be wrong",
);

const REVOKED = new MeridianError(
  "UNAUTHENTICATED",
  "Expected a good token of this cluster, got one that has been revoked",
);

function tokenOf(authorization: string | undefined): string {
  const [, token] = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization ?? "") ?? [];
  if (token !== undefined && token.length <= TOKEN_LENGTH_MAX && isSpelledOnce(token)) return token;
  const got = authorization === undefined ? "none" : "something else";
  throw new MeridianError(
    "UNAUTHENTICATED",
    `Expected a token in \`Authorization: Bearer\`, got ${got}`,
  );
}

/**
 * Whether the signature is written as its bytes are encoded: the last character has bits that a decoder passes over, so a token would be good in
 * sixteen spellings, each of which would be verified and remembered as another one.
 */
function isSpelledOnce(token: string): boolean {
  const signature = token.slice(token.lastIndexOf(".") + 1);
  return Buffer.from(signature, "base64url").toString("base64url") === signature;
}

/** Reads what a verified token grants. */
function grantOf(payload: Readonly<Record<string, unknown>>): Omit<Principal, "key"> {
  const { jti, sub, iat, exp, scope, prefixes = [], nodes = [] } = payload;
  if (
    typeof jti === "string" &&
    // Only a token with such an id can be revoked.
    isTokenId(jti) &&
    typeof iat === "number" &&
    typeof exp === "number" &&
    SCOPES.includes(scope as Scope) &&
    isTexts(prefixes) &&
    isTexts(nodes)
  ) {
    const subject = typeof sub === "string" ? sub : "";
    const [issuedAtMs, expiresAtMs] = [iat * 1_000, exp * 1_000];
    return { id: jti, subject, scope: scope as Scope, prefixes, nodes, issuedAtMs, expiresAtMs };
  }
  throw new MeridianError("UNAUTHENTICATED", "Expected a token that says what it grants");
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

/** The error for a token. Its message has details only if the signature was valid, so that a forger learns nothing. */
function refusalOf(cause: unknown): MeridianError {
  if (cause instanceof MeridianError) return cause;
  const got =
    cause instanceof errors.JWTExpired
      ? "one that has expired"
      : cause instanceof errors.JWTClaimValidationFailed && cause.claim === "nbf"
        ? "one that is not good yet; a clock may be wrong"
        : "another one";
  return new MeridianError("UNAUTHENTICATED", `Expected a good token of this cluster, got ${got}`);
}

async function readKeys(path: string): Promise<TrustedKeys> {
  let found: unknown;
  try {
    found = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? "it is no JSON";
    throw invalid(`Expected public keys in \`${path}\` (--token-keys): ${why}`, cause);
  }
  const { keys = [] } = (found ?? {}) as { readonly keys?: unknown };
  if (!Array.isArray(keys) || keys.length === 0 || !keys.every(isPublicKey)) {
    throw invalid(
      `Expected a JSON Web Key Set of public Ed25519 keys, each with its \`kid\`, in \`${path}\` (--token-keys), got something else; a private key does not belong there`,
    );
  }
  const byId = new Map(keys.map(({ kid, x }) => [kid, x]));
  const [first = ""] = byId.values();
  return {
    find: createLocalJWKSet({ keys } as JSONWebKeySet),
    trusted: new Set(byId.values()),
    // A token that names no key is verified only where there is no more than one.
    keyOf: (id) => (id === undefined ? first : (byId.get(id) ?? "")),
  };
}

interface PublicKey {
  readonly kid: string;
  readonly x: string;
}

function isPublicKey(key: unknown): key is PublicKey {
  const { kty, crv, x, d, kid } = (key ?? {}) as Readonly<Record<string, unknown>>;
  const isEd25519 = kty === "OKP" && crv === "Ed25519" && typeof x === "string";
  return isEd25519 && d === undefined && typeof kid === "string";
}

async function signatureOf(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs}:${size}:${ino}`;
  } catch {
    return "missing";
  }
}

function invalid(message: string, cause?: unknown): MeridianError {
  return new MeridianError("INVALID_CONFIG", message, { cause });
}
