/**
 * Rules that a log in a stream rests on. The simulation switches each of them off to see that something goes wrong without it, and others by what it
 * gives the log in the place of a stream. No option of a program leads here: programs open their logs with all rules on.
 */
export interface StreamRules {
  /** A message counts only if it is the next one of the epoch that began last before it. */
  readonly olderEpochsArePassedOver: boolean;
  /** A writer ends once it reads that another one has begun an epoch. */
  readonly fencedWritersEnd: boolean;
  /** A writer compares the message at its place by its id, and not by its sequence alone. */
  readonly placesHaveIds: boolean;
  /** The newest begin of an epoch is said again before it is trimmed. */
  readonly beginsAreSaidAgain: boolean;
}

/** Every rule in force, as outside of simulations. */
export const ALL_STREAM_RULES: StreamRules = {
  olderEpochsArePassedOver: true,
  fencedWritersEnd: true,
  placesHaveIds: true,
  beginsAreSaidAgain: true,
};
