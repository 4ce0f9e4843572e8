/** The name of the directory's host. */
export const DIRECTORY = "directory";

/** The bounds of simulated machines. They are small, so that simulations reach them, and nodes fall behind and are fed from the log. */
export const BOUNDS = {
  linkBytes: 3_000,
  recentBytes: 16_000,
  windowBytes: 4_000,
  /** Requests that may wait at one node for a position, and as many for an acknowledgement. */
  waiters: 4,
  /** Frames of the log that are not compacted. */
  logFrames: 20,
  /** The size of one read of a log or an outbox. */
  readBytes: 2_000,
  /** The largest frame that simulated writes make: all writes that waited for one commit, and all keys that are sent again after a start. */
  frameBytes: 26_000,
  /** What may wait on a link beside frames: acknowledgements, heartbeats, the list of members. */
  textBytes: 16_000,
} as const;

/** The time limits of nodes and directories. They are short, so that much happens in little time. */
export const NODE_LIMITS = {
  earlyMs: 1_000,
  windowBytes: BOUNDS.windowBytes,
  waitersMax: BOUNDS.waiters,
  backoffMaxMs: 1_000,
  stallMs: 1_500,
  confirmMs: 2_000,
  lagMax: 20,
  probeMs: 600,
  returnMs: 800,
  returnMaxMs: 4_000,
  returnSettledMs: 2_000,
} as const;
export const FOLLOWER_LIMITS = { backoffMaxMs: 500, stallMs: 1_500 } as const;

/** Sizes that other simulations do not reach: how much nodes and directories remember, and ask and look at at a time. */
export const SMALL_NODE_SIZES = {
  recentKeysMax: 16,
  reportsMax: 1,
  rangeEntries: 8,
  windowEntries: 16,
} as const;
export const SMALL_DIRECTORY_SIZES = { followedEntriesMax: 16, pageRows: 4 } as const;
