/** What a region is asked over a WebSocket and what it answers, as schemas; WEBSOCKET.md tells of it. */
export { isDeeperThan } from "../json-depth.ts";
export { BINARY_SOCKET_PROTOCOL, SOCKET_PATH, SOCKET_PROTOCOL } from "./limits.ts";
export { readSocketRequest, SOCKET_DEPTH_MAX, type ReadRequest } from "./read-request.ts";
export {
  SOCKET_REQUESTS,
  type RequestId,
  type SocketItem,
  type SocketRequest,
  type SocketRequestOf,
  type SocketRequestType,
  type ValueEncoding,
} from "./requests.ts";
export {
  keyNews,
  SOCKET_API,
  socketChanges,
  socketError,
  socketFound,
  socketPosition,
  socketReload,
  socketResult,
  type SocketRoute,
} from "./socket-api.ts";
