export type { Acknowledgement, AckLevel } from "./acknowledgement.ts";
export {
  certificateFault,
  connectionFailure,
  type ConnectionFailure,
} from "./connection-failure.ts";
export { cursorIn, cursorsIn, isBeyond, withCursor, type TailRun } from "./cursors.ts";
export {
  burial,
  BURIAL_ORIGIN,
  isLive,
  isPurgeable,
  NO_BYTES,
  replaces,
  summaryOf,
  tombstone,
  type Entry,
  type Summary,
} from "./entry.ts";
export {
  asMeridianError,
  closeCodeOf,
  ERROR_KINDS,
  errorOfCloseCode,
  MeridianError,
  PROBLEM_CONTENT_TYPE,
  retryAfterOf,
  toProblem,
  type ErrorCode,
  type ErrorDetails,
  type ErrorKind,
  type Problem,
} from "./errors.ts";
export {
  assembleFrame,
  blockOf,
  checkBlock,
  decodeBlock,
  encodeBlock,
  entryBytes,
  extensionOf,
  findInBlock,
  highestTimeOf,
  lowestTimeOf,
  type BlockFacts,
  type EntryHead,
} from "./frame.ts";
export {
  ENTRY_HEADER_BYTES,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  hidePosition,
  orderFrame,
  readFrameHeader,
  writeFrameHeader,
  type FrameHeader,
  type FrameOrder,
} from "./frame-header.ts";
export { encodeTraces, FRAME_TRACES_MAX, tracesOf, withoutTraces } from "./frame-traces.ts";
export { hottest, type KeyHeat } from "./heat.ts";
export type { KeyRange } from "./key-range.ts";
export { compareKeys } from "./key-order.ts";
export { listEntry, type ListedEntry } from "./listed-entry.ts";
export {
  ATTRIBUTES_BYTES_MAX,
  BATCH_ENTRIES_MAX,
  COMPARED_ENTRIES_MAX,
  CONTENT_TYPE_BYTES_MAX,
  CURSORS_MAX,
  EXPIRES_AT_MS_MAX,
  EXTENSION_BYTES_MAX,
  FRAME_BYTES_TARGET,
  FRAME_ENTRIES_MAX,
  FRAME_ENTRIES_TARGET,
  GREETING_BYTES_MAX,
  HEAT_BYTES_MAX,
  HEAT_READS_MAX,
  KEY_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  PROPOSALS_MAX,
  PROPOSED_BYTES_MAX,
  TEXT_BYTES_MAX,
  VALUE_BYTES_MAX,
  VALUE_BYTES_MAX_DEFAULT,
} from "./limits.ts";
export { DIRECTORY_SCHEMAS, NODE_SCHEMAS } from "./message-schema.ts";
export { decodeDirectoryMessage, decodeNodeMessage, encodeMessage } from "./message-codec.ts";
export type {
  ClockWord,
  Cursor,
  Decided,
  DecidedCode,
  DirectoryMessage,
  Echo,
  Follow,
  Hello,
  Member,
  NodeLoad,
  NodeMessage,
  Propose,
  RangeDigest,
  RegisteredMember,
  Welcome,
} from "./message.ts";
export { BlockBuilder } from "./block-builder.ts";
export { joinBytes } from "./join-bytes.ts";
export { NODE_STATUSES, type NodeStatus } from "./node-status.ts";
export type {
  HorizonState,
  LogFrame,
  OutboxFrame,
  OutboxMark,
  QuarantinedEntry,
  RememberedMember,
  RemoteRecord,
  ReplicaRecord,
} from "./record.ts";
export {
  formatPosition,
  OUTBOXES_MAX,
  parsePosition,
  type OutboxPlace,
  type Position,
} from "./position.ts";
export { isTokenId, REVOCATION_PREFIX, revocationKey, revokedId } from "./revocation.ts";
export { isScoped, SCOPED_ATTRIBUTES, withoutScope } from "./scoped.ts";
export {
  compareStamps,
  formatStamp,
  isStamp,
  parseStamp,
  STAMP_EPOCH_MS,
  STAMP_TIME_MAX,
  STAMPS_PER_MS,
  stampTimeOf,
  unixMsOf,
  type Stamp,
} from "./stamp.ts";
export { TakenBack, TAKEN_BACK_MAX } from "./taken-back.ts";
export { decodeUtf8, fromBase64, isBase64, toBase64 } from "./text.ts";
export { HORIZON_MS_MIN, parseHorizonMs } from "./horizon.ts";
export {
  checkedTraceState,
  formatTraceparent,
  parseTraceContext,
  type TraceContext,
} from "./trace-context.ts";
export { checkTtlMs, parseTtlMs, TTL_MS_MAX } from "./ttl.ts";
export {
  isWebOrigin,
  parseAddress,
  parseHosts,
  parseOrigins,
  parseUrl,
  parseUrls,
  parseWebOrigin,
  withoutTrailingSlashes,
  type AllowedOrigins,
} from "./url.ts";
export {
  agree,
  capabilities,
  CONDITIONS,
  EARLY,
  FEATURES,
  HEAT,
  OWN_FRAMES,
  INCOMPLETE_OUTBOX,
  MEMBERS_CHANGED,
  PROTOCOL_VERSION,
  PROTOCOL_VERSION_MIN,
  TRACES,
  type Agreement,
  type Capabilities,
} from "./versions.ts";
export {
  checkAddress,
  checkClientKey,
  checkCoordinates,
  checkIdentifier,
  checkKey,
  CLIENT_KEY_MIN,
  isAddress,
  isKey,
  parseCoordinates,
  isReservedKey,
  utf8Length,
  type Coordinates,
} from "./validate.ts";
