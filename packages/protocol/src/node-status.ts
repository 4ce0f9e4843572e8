/** Every status that a node can report. PROTOCOL.md, "States and events", says when it reports which. */
export const NODE_STATUSES = [
  "joining",
  "syncing",
  "ready",
  "standalone",
  "full",
  "draining",
] as const;

/** What a node can do for clients. A node without a link has no status; answers over HTTP show it as `gone`. */
export type NodeStatus = (typeof NODE_STATUSES)[number];
