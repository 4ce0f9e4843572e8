/**
 * Rules that replication rests on. The simulation switches each of them off to see that something goes wrong without it.
 * No option of a program leads here: programs make their machines with all rules on.
 */
export interface Rules {
  /** A clock merges every stamp that its node receives. */
  readonly clocksMergeStamps: boolean;
  /** Equal times are ordered by origin. */
  readonly stampsNameOrigins: boolean;
  /** A stamp too far ahead is refused at admission. */
  readonly stampsAheadAreRefused: boolean;
  /** What is refused gets a new stamp from its origin. */
  readonly refusedIsRestamped: boolean;
  /** New stamps lie above every stamp that the node has seen admitted. */
  readonly newStampsLieAboveAdmitted: boolean;
  /** An entry that comes with a stamp that was taken back does not win over what this node holds. */
  readonly takenBackIsOutranked: boolean;
  /** A node that has taken stamps back gets what a log has under them: its own frames, and from before the places that it knew. */
  readonly takenBackIsFound: boolean;
  /** No write is stamped while others get new stamps. */
  readonly writesWaitForRestamping: boolean;
  /** A reconciliation starts over when stamps are lowered under it. */
  readonly restampingRestartsComparison: boolean;

  /** A reconciliation that was begun is not forgotten by a crash. */
  readonly comparisonOutlivesCrash: boolean;
  /** What a log may have lost is sent again by who remembers it. */
  readonly recentKeysAreSentAgain: boolean;
  /** A restored copy of a database takes a new identity. */
  readonly restoredCopyIsNoticed: boolean;
  /** A reconciliation goes both ways: the node gives what is wanted. */
  readonly wantedIsGiven: boolean;
  /** Donations are counted, because one may be lost. */
  readonly donationsAreCounted: boolean;
  /** A link on which nothing moves is given up. */
  readonly stallsAreNoticed: boolean;
  /** A node does not get its own entries back. */
  readonly ownFramesAreLeftOut: boolean;

  /** A node says what is absent and as old as its horizon. */
  readonly absentIsBuried: boolean;
  /** A directory adopts the horizons that it follows. */
  readonly followedHorizonIsAdopted: boolean;
  /** What one log has buried is buried in all. */
  readonly burialsAreFollowed: boolean;

  /** A directory goes by what most clocks say, and not by its own. */
  readonly mostClocksAreBelieved: boolean;
  /** What cannot be undone waits for a majority of clocks. */
  readonly majorityIsAwaited: boolean;

  /** A condition is decided against frames that are ordered and not yet durable, too. */
  readonly unstoredIsLookedAt: boolean;
  /** A refusal is told once what it rests on is durable. */
  readonly refusalsWait: boolean;
  /** A frame that was decided about goes out once it is durable. */
  readonly decidedGoesOutDurable: boolean;
  /** What is proposed has a stamp above the version that it replaces. */
  readonly proposedLiesAbove: boolean;
  /** A condition on a version that was written plainly is refused. */
  readonly scopeIsMarked: boolean;
  /** A read waits for what was ordered when it began. */
  readonly readsWaitForBarrier: boolean;
  /** The refusal of what was proposed twice is judged by the node's own copy. */
  readonly repeatsAreJudged: boolean;
}

/** Every rule in force, as outside of simulations. */
export const ALL_RULES: Rules = {
  clocksMergeStamps: true,
  stampsNameOrigins: true,
  stampsAheadAreRefused: true,
  refusedIsRestamped: true,
  newStampsLieAboveAdmitted: true,
  takenBackIsOutranked: true,
  takenBackIsFound: true,
  writesWaitForRestamping: true,
  restampingRestartsComparison: true,
  comparisonOutlivesCrash: true,
  recentKeysAreSentAgain: true,
  restoredCopyIsNoticed: true,
  wantedIsGiven: true,
  donationsAreCounted: true,
  stallsAreNoticed: true,
  ownFramesAreLeftOut: true,
  absentIsBuried: true,
  followedHorizonIsAdopted: true,
  burialsAreFollowed: true,
  mostClocksAreBelieved: true,
  majorityIsAwaited: true,
  unstoredIsLookedAt: true,
  refusalsWait: true,
  decidedGoesOutDurable: true,
  proposedLiesAbove: true,
  scopeIsMarked: true,
  readsWaitForBarrier: true,
  repeatsAreJudged: true,
};
