export { plainAddress } from "./address.ts";
export { dialLink } from "./dial-link.ts";
export { LinkListener, type LinkListenerOptions } from "./link-listener.ts";
export {
  acceptLink,
  type LinkOptions,
  type WebSocketLink,
  type WebSocketLinkEvents,
} from "./web-socket-link.ts";
