// Re-exported so that tests need only one import for clusters.
export {
  Cluster,
  FIVE_PLACES,
  type Line,
  LinkProxy,
  type ListedNode,
  type Network,
  type PartyDigest,
  Program,
  ProxyNetwork,
  Region,
  until,
  within,
} from "@meridian/local-cluster";
export {
  type BothPrograms,
  type RawAnswer,
  exchangeRaw,
  readRaw,
  startBothPrograms,
} from "./both-programs.ts";
export { NamespaceNetwork } from "./namespace-network.ts";
export { type ClusterCredentials, makeCredentials } from "./cluster-credentials.ts";
export {
  clusterFetch,
  showToken,
  trustAuthority,
  deleteValue,
  getJson,
  getText,
  getValue,
  putValue,
  request,
} from "./region-requests.ts";
export { startSmallDirectory } from "./small-directory.ts";
export { type SmallRegion, startSmallRegion } from "./small-region.ts";
export { startCluster, startDirectories } from "./start-cluster.ts";
export { ROOT } from "./root.ts";
