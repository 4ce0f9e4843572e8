/** Authorization: what a token grants, what a route demands, and the check that the token covers the route. */
import { MeridianError } from "../errors.ts";

/** What a token is for. `write` grants all that `read` does, `admin` all that `write` does; `node` lets a node or a directory open links to directories. */
export type Scope = "read" | "write" | "admin" | "node";

/** Every scope. */
export const SCOPES: readonly Scope[] = ["read", "write", "admin", "node"];

/** What a verified token grants. */
export interface Principal {
  /** The id of the token. */
  readonly id: string;
  /** Whom the token was issued to, for logs. */
  readonly subject: string;
  readonly scope: Scope;
  /** The token covers only keys that begin with one of these; the empty prefix stands for all keys. */
  readonly prefixes: readonly string[];
  /** The ids of the nodes that may join with it; `*` stands for all, and for directories. */
  readonly nodes: readonly string[];
  /** When the token was issued, and when it expires, in milliseconds since the Unix epoch. */
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  /** The public key that the token was verified with. */
  readonly key: string;
}

/** What a route demands of the client. */
export interface Access {
  /** `public`: nothing. `any`: a token, whatever its scope. */
  readonly scope: "public" | "any" | "read" | "write" | "admin";
  /**
   * Where the request names the keys that it touches: in the rest of its path (`path`), in the query parameter `key` (`query`) or `prefix`
   * (`prefix`) or one of the two (`watch`), or in its body (`body`). `all`: the request touches all keys.
   */
  readonly keys?: "path" | "query" | "prefix" | "watch" | "body" | "all";
}

const RANK: Readonly<Record<Access["scope"] | Scope, number>> = {
  public: 0,
  any: 1,
  node: 1,
  read: 2,
  write: 3,
  admin: 4,
};

/** Throws `FORBIDDEN` unless the token's scope covers what a route demands, and the token covers all keys if the route touches all or demands `admin`. */
export function checkScope(principal: Principal, access: Access): void {
  if (RANK[principal.scope] >= RANK[access.scope]) {
    if (access.keys === "all" || access.scope === "admin") checkKeys(principal, "");
    return;
  }
  throw new MeridianError(
    "FORBIDDEN",
    `Expected a token of scope \`${access.scope}\`, got one of \`${principal.scope}\``,
  );
}

/** Throws `FORBIDDEN` unless the token covers a key, or all keys that begin with `key`. */
export function checkKeys({ prefixes }: Principal, key: string): void {
  if (prefixes.some((prefix) => key.startsWith(prefix))) return;
  throw new MeridianError(
    "FORBIDDEN",
    key === ""
      ? "Expected a token for all keys, got one for those of a prefix"
      : "Expected a key that begins with a prefix of the token, got another one",
  );
}
