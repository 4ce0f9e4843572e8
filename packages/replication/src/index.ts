export { digestPage, type DigestPage } from "./reconcile/digest-page.ts";
export {
  digestAll,
  digestOf,
  type Digest,
  type PagedSource,
  type SummarySource,
} from "./reconcile/digest.ts";
export { Directory, type DirectoryInfo, type DirectoryOptions } from "./directory/directory.ts";
export type { AbsentMember, MemberInfo } from "./directory/membership.ts";
export {
  DIRECTORY_LIMITS,
  REPLICA_LIMITS,
  type DirectoryLimits,
  type ReplicaLimits,
} from "./limits.ts";
export type { PeerInfo } from "./follow/follower.ts";
export type { FollowOptions } from "./follow/peers.ts";
export { admissionOf } from "./node/replica-options.ts";
export type { ConditionalWrite, Proposals } from "./node/proposals.ts";
export { Replica } from "./node/replica.ts";
export type {
  Admission,
  NodeIdentity,
  ReplicaInfo,
  ReplicaOptions,
  TracedFrame,
} from "./node/replica-options.ts";
export type { Quarantine } from "./node/quarantine.ts";
export type {
  BatchWrite,
  Content,
  Receipt,
  UpdateRequest,
  WriteDone,
  WriteNeeds,
  WriteRequest,
} from "./node/write-path.ts";
export { ServingDirectory, type ServingDirectoryOptions } from "./serve/serving-directory.ts";
