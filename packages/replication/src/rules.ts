/**
 * Rules that replication rests on. The simulation switches each of them off to see that something goes wrong without it.
 * No option of a program leads here: programs make their machines with all rules on.
 */
export interface Rules {
  /** Frames before a refused one keep their stamps: the directory has taken them. */
  readonly stampsBeforeRefusedStay: boolean;
  /** What an acknowledgement that was lost would have told of stamps is learnt from the next welcome. */
  readonly welcomeTellsAdmitted: boolean;
}

export const ALL_RULES: Rules = {
  stampsBeforeRefusedStay: true,
  welcomeTellsAdmitted: true,
};
