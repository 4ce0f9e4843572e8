export type { Acknowledgement, AckLevel } from "./acknowledgements.ts";
export { digestPage, type DigestPage, type KeyRange } from "./digest-page.ts";
export { digestAll, digestOf, type Digest, type SummarySource } from "./digest.ts";
export {
  Directory,
  type DirectoryInfo,
  type DirectoryOptions,
  type MemberInfo,
} from "./directory.ts";
export {
  DIRECTORY_LIMITS,
  REPLICA_LIMITS,
  type DirectoryLimits,
  type ReplicaLimits,
} from "./limits.ts";
export type { PeerInfo } from "./follower.ts";
export type { FollowOptions } from "./peers.ts";
export type { Dial, DirectoryLog, Done, Link, LinkEvents, ReplicaStore } from "./ports.ts";
export { Replica } from "./replica.ts";
export type { NodeIdentity, ReplicaInfo, ReplicaOptions } from "./replica-options.ts";
export type { Quarantine } from "./quarantine.ts";
export type { Receipt, WriteRequest } from "./write-path.ts";
