/**
 * How widely a write is to be known before it is answered: durable on the node that took it (`local`), ordered and
 * durable at the directory (`directory`), or durable on a number of ready nodes, the one that took it counted, or on
 * all of them.
 */
export type AckLevel = "local" | "directory" | "all" | number;

/** How widely a write is known. */
export interface Acknowledgement {
  readonly level: AckLevel;
  /** Whether the level asked for was reached in time. */
  readonly reached: boolean;
  /** Always true: nothing is answered before the node that took the write has it durably. */
  readonly local: true;
  readonly directory: boolean;
  /** Ids of the nodes that are known to have it durably, the one that took it first. */
  readonly nodes: readonly string[];
  /** Ids of the nodes that are known to be ready, the one that took it first. */
  readonly ready: readonly string[];
}
