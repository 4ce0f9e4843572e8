/** The rights of one connection: those that its token grants, for as long as the token is valid. */
import { placeOf, verifyToken, type Authenticator, type RateLimits } from "@meridian/http";
import { MeridianError } from "@meridian/protocol";
import { checkKeys, checkScope, type Access, type Principal } from "@meridian/protocol/http-api";
import { SOCKET_API, type SocketRequest } from "@meridian/protocol/socket-api";
import type { Clock } from "@meridian/runtime";

/** What connections are judged by. */
export interface SocketAccessOptions {
  /** Without it, everybody is answered. */
  readonly authenticator: Authenticator | undefined;
  readonly limits: RateLimits;
  readonly clock: Pick<Clock, "nowMs">;
}

/**
 * How long a connection goes on after its token has expired, in milliseconds: clocks differ, and a new request with the token would be accepted for
 * as long.
 */
const TOLERANCE_MS = 10_000;

/** The rights of a connection. */
export class SocketAccess {
  readonly #options: SocketAccessOptions;
  readonly #address: string | undefined;
  #principal: Principal | undefined;
  #authorization: string | undefined;

  constructor(options: SocketAccessOptions, address: string | undefined) {
    this.#options = options;
    this.#address = address;
  }

  /** Whether a token has yet to be shown. */
  get isMissing(): boolean {
    return this.#options.authenticator !== undefined && this.#principal === undefined;
  }

  /** Whether the token has expired, or is void, as far as can be told without verifying it again. */
  get isDoubtful(): boolean {
    const { authenticator, clock } = this.#options;
    const principal = this.#principal;
    if (authenticator === undefined || principal === undefined) return false;
    const isOver = principal.expiresAtMs + TOLERANCE_MS <= clock.nowMs();
    return isOver || authenticator.isVoid(principal);
  }

  /** Takes another token; where none are asked for, any text is as good. Rejects with `UNAUTHENTICATED` and `RATE_LIMITED`. */
  async show(token: string): Promise<void> {
    const { authenticator, limits } = this.#options;
    if (authenticator === undefined) return;
    const authorization = `Bearer ${token}`;
    const known = authenticator.known(authorization);
    this.#principal =
      known ?? (await verifyToken({ authenticator, limits }, authorization, this.#address));
    this.#authorization = authorization;
  }

  /** Verifies the token again. Rejects with `UNAUTHENTICATED` where it is good no more. */
  async verify(): Promise<void> {
    if (this.#principal === undefined) return;
    await this.#options.authenticator?.verify(this.#authorization);
  }

  /** Lets a request in. Throws `UNAUTHENTICATED`, `FORBIDDEN`, `RATE_LIMITED` and `REVOCATIONS_UNKNOWN`. */
  check(request: SocketRequest): void {
    const { authenticator, limits } = this.#options;
    const access: Access = SOCKET_API[request.type].access;
    if (access.scope === "public") return;
    if (authenticator === undefined) {
      if (limits.areLimited) limits.take(placeOf(this.#address));
      return;
    }
    const principal = this.#principal;
    if (principal === undefined) {
      const said = "Expected a token in a first request of type `auth`, got none";
      throw new MeridianError("UNAUTHENTICATED", said);
    }
    limits.take(principal.id);
    this.#checkCover(principal, request, access);
    if (access.scope !== "any") authenticator.checkAge(principal);
  }

  /** Throws `FORBIDDEN` for a request that the token does not cover. */
  checkCover(request: SocketRequest): void {
    const { access } = SOCKET_API[request.type];
    if (this.#principal !== undefined) this.#checkCover(this.#principal, request, access);
  }

  #checkCover(principal: Principal, request: SocketRequest, access: Access): void {
    checkScope(principal, access);
    if (principal.prefixes.includes("")) return;
    for (const key of keysOf(request)) checkKeys(principal, key);
  }
}

/** The keys that a request names, or the beginning of those that it touches. */
function keysOf(request: SocketRequest): readonly string[] {
  switch (request.type) {
    case "get":
    case "set":
    case "delete":
    case "touch":
    case "pull":
    case "lease":
    case "release":
      return [request.key];
    case "getMany":
    case "hasMany":
    case "deleteMany":
      return request.keys;
    case "setMany":
      return request.entries.map(({ key }) => key);
    case "entries":
      return [request.prefix ?? ""];
    case "watch":
      return [request.key ?? request.prefix ?? ""];
    case "auth":
    case "ping":
    case "unwatch":
      return [];
  }
}
