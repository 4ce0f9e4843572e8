/**
 * How many parties must have a write before it is answered: durable on the node that took it (`local`); in the directory's
 * log and durable there (`directory`); in the directory's log and durable on
 * every ready node (`all`); or durable on so many ready nodes. The node
 * that took the write counts as one, so `1` means the same as `local`.
 */
export type AckLevel = "local" | "directory" | "all" | number;

/** Which parties are known to have a write. */
export interface Acknowledgement {
  readonly level: AckLevel;
  /** Whether the level asked for was reached in time. */
  readonly reached: boolean;
  /** Always true: a write is answered only once it is durable on the node that took it. */
  readonly local: true;
  readonly directory: boolean;
  /** Ids of the nodes that are known to have it durably, the one that took it first. */
  readonly nodes: readonly string[];
  /** Ids of the nodes that are known to be ready, the one that took it first. */
  readonly ready: readonly string[];
}
