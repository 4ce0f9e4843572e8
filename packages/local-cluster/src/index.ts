export { Cluster, type ClusterParts, type PartyDigest, type ListedNode } from "./cluster.ts";
export { Ledger, type Attempt, type Got, type Order } from "./ledger.ts";
export type { Line, Network, Outpost, Site } from "./line.ts";
export { LinkProxy, type Flow } from "./link-proxy.ts";
export { Load, gotOf, type Destination, type LoadCounts, type LoadOptions } from "./load.ts";
export {
  natsServerCommand,
  natsServerConfig,
  natsServerVersion,
  type NatsServerSettings,
} from "./nats-server.ts";
export { DIRECTORY_PLACES, FIVE_PLACES, PLACES, type Place } from "./places.ts";
export { directoryArguments, placeArguments, regionArguments } from "./program-arguments.ts";
export { Program, type ProgramOptions } from "./program.ts";
export { findPrograms, type NodePrograms } from "./programs.ts";
export { ProxyNetwork } from "./proxy-network.ts";
export {
  failedReply,
  RegionRequests,
  type SessionCredentials,
  type Reply,
  type SessionRequests,
} from "./region-requests.ts";
export { skewedClock } from "./skewed-clock.ts";
export {
  DirectoryStation,
  Region,
  type RegionSettings,
  type SecureParts,
  type StationParts,
} from "./station.ts";
export { until, within } from "./until.ts";
export { startCluster, type RunningCluster, type StartClusterOptions } from "./start-cluster.ts";
