/** The name of the directory's host. */
export const DIRECTORY = "directory";

/** The bounds of simulated machines. They are small, so that simulations reach them, and nodes fall behind and are fed from the log. */
export const BOUNDS = {
  linkBytes: 3_000,
  recentBytes: 4_000,
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
