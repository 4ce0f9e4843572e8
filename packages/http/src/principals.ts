import type { IncomingMessage } from "node:http";

import type { Principal } from "@meridian/protocol/http-api";

const principals = new WeakMap<IncomingMessage, Principal>();

/** Whose request it is; undefined where tokens are not asked for. */
export function principalOf(incoming: IncomingMessage): Principal | undefined {
  return principals.get(incoming);
}

/** Says whose request it is. */
export function setPrincipal(incoming: IncomingMessage, principal: Principal): void {
  principals.set(incoming, principal);
}
