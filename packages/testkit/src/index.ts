export { ManualClock } from "./manual-clock.ts";
export type { ScheduleCommit } from "./memory-disk.ts";
export {
  copyLogDisk,
  emptyLogDisk,
  MemoryDirectoryLog,
  type LogDisk,
} from "./memory-directory-log.ts";
export {
  copyReplicaDisk,
  emptyReplicaDisk,
  MemoryReplicaStore,
  type ReplicaDisk,
} from "./memory-replica-store.ts";
export { replicaStoreContract } from "./replica-store-contract.ts";
export type { StoreHarness } from "./store-harness.ts";
export { directoryLogContract } from "./directory-log-contract.ts";
export { membersOf, oddMessages, type OddMessage } from "./member-limits.ts";
export { frameWith, welcomeWith } from "./directory-words.ts";
export { wrongOrder, type RegisterOperation } from "./linearizability.ts";
export { heartbeatOf, helloOf } from "./node-words.ts";
export { oddFrames } from "./odd-frames.ts";
export { EMPTY_STORE } from "./empty-store.ts";
export { SOCKET_TONGUES, type SocketTongue, type SocketWords } from "./socket-tongues.ts";
export { converse, expectSameAnswers, httpConversations } from "./http-conversations.ts";
