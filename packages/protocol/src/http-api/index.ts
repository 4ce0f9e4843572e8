/**
 * The HTTP API of both programs as schemas: what each request takes and what it answers. The documents, and the checks of whoever
 * asks a program, come from here.
 */
export {
  acknowledgement,
  health,
  listedEntry,
  nodeStatus,
  problem,
  readiness,
  digest,
  digestPage,
  entryPage,
} from "./elements.ts";
export { absentNode, directoryStatus, nearest, node, nodes } from "./directory-api.ts";
export { DIRECTORY_ROUTES } from "./directory-routes.ts";
export {
  batchFound,
  batchGetBody,
  batchSetBody,
  batchWritten,
  deleted,
  dropped,
  found,
  keyPage,
  quarantined,
  quarantinePage,
  regionStatus,
  replayed,
  written,
} from "./region-api.ts";
export { REGION_ROUTES } from "./region-routes.ts";
export { BYTES, type ApiRoute, type Parameter } from "./route.ts";
