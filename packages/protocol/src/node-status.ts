/** Everything that a node can say of itself. */
export const NODE_STATUSES = [
  "joining",
  "syncing",
  "ready",
  "standalone",
  "full",
  "draining",
] as const;

/** What a node can do for clients. `gone` is the absence of a node. */
export type NodeStatus = (typeof NODE_STATUSES)[number];
