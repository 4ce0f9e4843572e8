import type { Principal } from "@meridian/protocol/http-api";

/** A member of the request: a `WeakMap` costs the collector more than the whole check of a token that is known. */
const PRINCIPAL = Symbol("principal");

interface Known {
  [PRINCIPAL]?: Principal;
}

/** The principal of a request; undefined on programs that demand no tokens. */
export function principalOf(request: object): Principal | undefined {
  return (request as Known)[PRINCIPAL];
}

/** Notes the principal of a request. */
export function setPrincipal(request: object, principal: Principal): void {
  (request as Known)[PRINCIPAL] = principal;
}
