/**
 * The HTTP API of both programs as schemas: what each request takes and what it answers. From here come the types of what the
 * programs answer, the checks of whoever asks them, and the documents.
 */
export {
  acknowledgement,
  backupReport,
  health,
  history,
  trouble,
  listedEntry,
  nodeStatus,
  problem,
  readiness,
  digest,
  digestPage,
  entryPage,
  type BackupReport,
} from "./elements.ts";
export {
  absentNode,
  directoryStatus,
  doubtEnded,
  nearest,
  nearestNode,
  node,
  nodes,
  presentNode,
  UNKNOWN_PROGRESS,
} from "./directory-api.ts";
export { COMMON_API } from "./common-routes.ts";
export { DIRECTORY_API } from "./directory-routes.ts";
export {
  batchDeleteBody,
  batchDeleted,
  batchFound,
  batchGetBody,
  batchPresence,
  batchSetBody,
  batchWritten,
  deleted,
  dropped,
  entryReport,
  found,
  keyPage,
  lease,
  quarantined,
  quarantinePage,
  regionStatus,
  released,
  replayed,
  revocationPage,
  revoked,
  saved,
  watchTicket,
  written,
} from "./region-api.ts";
export { REGION_API } from "./region-routes.ts";
export { DIRECTORY_VIEW_API, DIRECTORY_VIEW_PREFIX } from "./directory-view-routes.ts";
export { VIEW_API, VIEW_PREFIX } from "./view-routes.ts";
export { PEER_PREFIX } from "./viewed.ts";
export {
  checkKeys,
  checkScope,
  SCOPES,
  type Access,
  type Principal,
  type Scope,
} from "./access.ts";
export { checkAnswer } from "./check-answer.ts";
export {
  BYTES,
  EVENTS,
  routesOf,
  type AnswerOf,
  type ApiRoute,
  type ApiTable,
  type Described,
  type Parameter,
  type PlacedRoute,
} from "./route.ts";
