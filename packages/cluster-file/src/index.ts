export type {
  ClusterFile,
  DirectoryEntry,
  FileValue,
  Limits,
  ProcessEntry,
  RegionEntry,
} from "./cluster-file.ts";
export { EXAMPLE } from "./example.ts";
export { directoryUrls, listensOn, nodeUrls, portOf } from "./lookups.ts";
export { parseClusterFile, readClusterFile } from "./parse.ts";
export { clusterSchemas, memberOf } from "./schema.ts";
export { settingsOf } from "./settings.ts";
export { parseFlags, withClusterFile } from "./with-cluster-file.ts";
