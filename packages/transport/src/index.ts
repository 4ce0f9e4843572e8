export { plainAddress } from "./address.ts";
export { dialLink } from "./dial-link.ts";
export { linkCuts, type LinkCuts } from "./link-cuts.ts";
export { LinkListener, type LinkListenerOptions } from "./link-listener.ts";
export {
  LINK_BYTES_MAX,
  type DialCredentials,
  type LinkOptions,
  type WebSocketLink,
} from "./web-socket-link.ts";
