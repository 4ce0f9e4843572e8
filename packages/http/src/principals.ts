import type { IncomingMessage } from "node:http";

import type { Principal } from "@meridian/protocol/http-api";

/** A member of the request: a `WeakMap` costs the collector more than the whole check of a token that is known. */
const PRINCIPAL = Symbol("principal");

interface Known extends IncomingMessage {
  [PRINCIPAL]?: Principal;
}

/** The principal of a request; undefined on programs that demand no tokens. */
export function principalOf(incoming: IncomingMessage): Principal | undefined {
  return (incoming as Known)[PRINCIPAL];
}

/** Notes the principal of a request. */
export function setPrincipal(incoming: IncomingMessage, principal: Principal): void {
  (incoming as Known)[PRINCIPAL] = principal;
}
