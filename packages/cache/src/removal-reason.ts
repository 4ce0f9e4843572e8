/** Why an entry left the cache. */
export type RemovalReason =
  /** Its time to live was over. */
  | "expired"
  /** The cache needed room, and the entry was the next in the policy's order. */
  | "evicted"
  /** Another value was set for its key. */
  | "replaced"
  /** `delete` was called for its key. */
  | "deleted"
  /** `clear` or `restore` was called. */
  | "cleared";

/** Reasons as numbers, so that counting a removal costs next to nothing. */
export const EXPIRED = 0;
export const EVICTED = 1;
export const REPLACED = 2;
export const DELETED = 3;
export const CLEARED = 4;
/** The number for an entry that was set and not kept. */
export const REJECTED = 5;

export const REASONS: readonly RemovalReason[] = [
  "expired",
  "evicted",
  "replaced",
  "deleted",
  "cleared",
];
