/** The binary subprotocol of regions' WebSockets; WEBSOCKET.md tells of it. */
export {
  changesMessage,
  errorMessage,
  foundResult,
  jsonResult,
  manyPart,
  manyResult,
  pagePart,
  pageResult,
  positionMessage,
  readBinaryMessage,
  reloadMessage,
  resultMessage,
  unchangedResult,
  type BinaryChange,
  type BinaryEntry,
  type BinaryKeyed,
  type BinaryMessage,
  type BinaryResult,
} from "./binary-answers.ts";
export {
  BINARY_ID_MAX,
  BINARY_REQUESTS,
  encodeBinaryRequest,
  readBinaryRequest,
  type BinaryRequest,
} from "./binary-requests.ts";
export { BINARY_SOCKET_PROTOCOL, SOCKET_PATH } from "../limits.ts";
export { BadBytes } from "./byte-reader.ts";
