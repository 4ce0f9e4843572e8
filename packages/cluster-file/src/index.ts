export type {
  ClusterFile,
  DirectoryEntry,
  LogSettings,
  ProcessEntry,
  RegionEntry,
} from "./cluster-file.ts";
export { EXAMPLE } from "./example.ts";
export { LIMITS, type Limit, type Limits, type Role } from "./limits.ts";
export { directoryUrls, listensOn, nodeUrls, portOf } from "./lookups.ts";
export { parseClusterFile, readClusterFile } from "./parse.ts";
export { settingsOf } from "./settings.ts";
export { withClusterFile } from "./with-cluster-file.ts";
