import type { IncomingMessage } from "node:http";

import type { Principal } from "@meridian/protocol/http-api";

/** A member of the request: a `WeakMap` costs the collector more than the whole check of a token that is known. */
const PRINCIPAL = Symbol("principal");

interface Known extends IncomingMessage {
  [PRINCIPAL]?: Principal;
}

/** Whose request it is; undefined where tokens are not asked for. */
export function principalOf(incoming: IncomingMessage): Principal | undefined {
  return (incoming as Known)[PRINCIPAL];
}

/** Says whose request it is. */
export function setPrincipal(incoming: IncomingMessage, principal: Principal): void {
  (incoming as Known)[PRINCIPAL] = principal;
}
