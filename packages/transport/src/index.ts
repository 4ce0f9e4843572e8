export { plainAddress } from "./address.ts";
export { connectionsMaxOf } from "./connections-max.ts";
export { dialLink } from "./dial-link.ts";
export {
  HTTP_TIMEOUTS,
  HttpGuard,
  refuseConnection,
  type HttpGuardOptions,
  type HttpTimeouts,
  type RawAnswer,
} from "./http-guard.ts";
export { LinkListener, type LinkListenerOptions } from "./link-listener.ts";
export { RequestLimit } from "./request-limit.ts";
export { LINK_BYTES_MAX, type LinkOptions, type WebSocketLink } from "./web-socket-link.ts";
