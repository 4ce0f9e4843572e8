export {
  type BothPrograms,
  type RawAnswer,
  exchangeRaw,
  readRaw,
  startBothPrograms,
} from "./both-programs.ts";
export { Cluster, type Digest, FIVE_PLACES, type ListedNode } from "./cluster.ts";
export type { Line, Network } from "./line.ts";
export { NamespaceNetwork } from "./namespace-network.ts";
export { Program, ROOT } from "./program.ts";
export { ProxyNetwork } from "./proxy-network.ts";
export { deleteValue, getJson, getText, getValue, putValue, request } from "./region-requests.ts";
export { type SmallRegion, startSmallRegion } from "./small-region.ts";
export { startCluster, startDirectories } from "./start-cluster.ts";
export { Region } from "./station.ts";
export { until, within } from "./until.ts";
