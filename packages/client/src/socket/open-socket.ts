import { nodeDial } from "./node-wire.ts";
import { plainDial } from "./plain-wire.ts";
import type { Dial } from "./wire.ts";

export { SocketLink } from "./socket-link.ts";

/** How this platform opens WebSockets; undefined if it cannot. */
export function platformDial(): Dial | undefined {
  return nodeDial() ?? plainDial();
}
