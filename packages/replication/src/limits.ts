/** Bounds of the directory's machine. Times in milliseconds. */
export interface DirectoryLimits {
  /** How often a node is asked to say that it lives. */
  readonly heartbeatMs: number;
  /** How long a silent node stays registered. */
  readonly leaseMs: number;
  /** How far ahead of the cluster's time a stamp may lie, and within which clocks agree. */
  readonly maxClockDriftMs: number;
  /** How long a majority of clocks is to agree before values are emptied by it. */
  readonly confirmMs: number;
  /** How long a frame whose stamps are ahead waits for the clocks to agree that they are. */
  readonly doubtMs: number;
  /** How long tombstones are kept, and how long a node may be away and still find them. */
  readonly horizonMs: number;
  /** How long a connection may take to introduce itself. */
  readonly greetingMs: number;
  /** Bytes that may wait on one link before its node is fed from the log, at its own pace. */
  readonly linkBytesMax: number;
  /** The same for all links together: each link has an equal part of it. */
  readonly allLinksBytesMax: number;
  /** Bytes of memory that recent frames take, kept for nodes that are only a little behind. */
  readonly recentBytesMax: number;
  /** Bytes of frames that may wait for the disk: where there are more, the node with most of them is disconnected, and keeps them. */
  readonly commitBytesMax: number;
  /** The same of the frames of one node: as much as its window, and a frame of the largest size. */
  readonly nodeBytesMax: number;
  /** How long a reconciliation may be at rest before its link is closed. */
  readonly turnRestMs: number;
  /** How long a node that reconciles holds up the others without progress, and how long at most. */
  readonly turnStillMs: number;
  readonly turnMs: number;
  /** How long a node may apply nothing of what it is sent and still be waited for. */
  readonly appliedRestMs: number;
  /** Frames for which one node may wait to hear who has applied them. */
  readonly watchedMax: number;
  /** Nodes that are remembered. Beyond that, the one that is gone the longest is forgotten. */
  readonly membersMax: number;
  /** How long a node is there without a break before it is a member until it is forgotten. */
  readonly establishMs: number;
  /** How long one that was not counts among the members once it is gone. */
  readonly newcomerMs: number;
  /** Connected nodes. A directory refuses one more: the list of all of them has to fit into one message. */
  readonly presentMax: number;
  /** How long it takes at least from one announcement of the members to the next. */
  readonly announceMs: number;
  /** How long a starting directory waits to hear from the others that it follows. */
  readonly joinMs: number;
  /** Entries that are remembered as known from other directories before the log is asked to settle. */
  readonly followedEntriesMax: number;
  /** Rows of the log that are looked at for one page of the answer to an offer, and twice as many for a step of a comparison. */
  readonly pageRows: number;
}

/** The limits of a directory for which its options say nothing else. */
export const DIRECTORY_LIMITS: DirectoryLimits = {
  heartbeatMs: 500,
  leaseMs: 1_500,
  maxClockDriftMs: 10_000,
  confirmMs: 60_000,
  doubtMs: 3_000,
  horizonMs: 7 * 24 * 3_600_000,
  greetingMs: 5_000,
  linkBytesMax: 4 * 1024 * 1024,
  allLinksBytesMax: 128 * 1024 * 1024,
  recentBytesMax: 16 * 1024 * 1024,
  commitBytesMax: 256 * 1024 * 1024,
  nodeBytesMax: 80 * 1024 * 1024,
  turnRestMs: 30_000,
  turnStillMs: 5_000,
  turnMs: 30_000,
  appliedRestMs: 5_000,
  watchedMax: 4_096,
  membersMax: 10_000,
  establishMs: 60_000,
  newcomerMs: 600_000,
  presentMax: 3_000,
  announceMs: 100,
  joinMs: 3_000,
  followedEntriesMax: 8_192,
  pageRows: 256,
};

/** Bounds of a node's machine. Times in milliseconds. */
export interface ReplicaLimits {
  /** The ceiling of the first delay before connecting again. */
  readonly backoffFirstMs: number;
  readonly backoffMaxMs: number;
  /** How long connecting and greeting may take. */
  readonly connectMs: number;
  /** The same if there is another directory to turn to. */
  readonly connectBesideMs: number;
  /** How often a node asks the directories that are better than its own how they stand. */
  readonly probeMs: number;
  /** How often a node measures how near the directories are that share a log: at first, and later. */
  readonly surveyFirstMs: number;
  readonly surveyMs: number;
  /** How long a better directory has to answer well before the node goes back to it: at first, and at most. */
  readonly returnMs: number;
  readonly returnMaxMs: number;
  /** A node that is away again sooner waits longer the next time. */
  readonly returnSettledMs: number;
  /** How long a starting node waits for a directory before it serves what it has. */
  readonly joinMs: number;
  /** How long frames may wait for the directory, or the log for this node, without any progress. */
  readonly stallMs: number;
  /** Like that of a directory. */
  readonly confirmMs: number;
  /** Sequences that a node may be behind when it comes back and still serve. */
  readonly lagMax: number;
  /** Bytes sent and not acknowledged. */
  readonly windowBytes: number;
  /** Requests that may wait for a position, and as many for an acknowledgement: few of those that a node serves at a time. */
  readonly waitersMax: number;
  /** How long `stop` waits for the directory to take the outbox. */
  readonly drainMs: number;
  /** Keys of the newest frames of the log that are remembered, should another log lack them. */
  readonly recentKeysMax: number;
  /** What has come before the log had it: for how long the node waits for the log, and how much of it there may be. */
  readonly earlyMs: number;
  readonly earlyKeysMax: number;
  readonly earlyBytesMax: number;
  /** The directory's newest reports of who has applied what that are kept for writers who begin to wait later. */
  readonly reportsMax: number;
  /** Entries of one range of a reconciliation: at most 256, which fit into one message with the longest keys. A question has two ranges. */
  readonly rangeEntries: number;
  /** Entries under comparison at a time. */
  readonly windowEntries: number;
}

/** The limits of a node for which its options say nothing else. */
export const REPLICA_LIMITS: ReplicaLimits = {
  backoffFirstMs: 100,
  backoffMaxMs: 5_000,
  connectMs: 5_000,
  connectBesideMs: 1_000,
  probeMs: 1_000,
  surveyFirstMs: 5_000,
  surveyMs: 300_000,
  returnMs: 5_000,
  returnMaxMs: 300_000,
  returnSettledMs: 30_000,
  joinMs: 3_000,
  stallMs: 5_000,
  confirmMs: 60_000,
  lagMax: 1_000,
  windowBytes: 8 * 1024 * 1024,
  waitersMax: 2_000,
  drainMs: 2_000,
  recentKeysMax: 32_768,
  earlyMs: 10_000,
  earlyKeysMax: 8_192,
  earlyBytesMax: 4 * 1024 * 1024,
  reportsMax: 256,
  rangeEntries: 256,
  windowEntries: 16_384,
};
