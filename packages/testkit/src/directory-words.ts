import {
  agree,
  capabilities,
  encodeBlock,
  assembleFrame,
  FRAME_KIND,
  HEAT,
  OWN_FRAMES,
  highestTimeOf,
  type Entry,
  type FrameHeader,
  type Welcome,
} from "@meridian/protocol";

/** The `welcome` that a node without `heat` and `own-frames` gets of a directory with the empty log 7, with the members of `more` instead of its own. */
export function welcomeWith(more: Partial<Welcome> & Pick<Welcome, "nowMs">): Welcome {
  return {
    type: "welcome",
    ...agree(capabilities(HEAT, OWN_FRAMES)),
    logId: 7,
    epoch: 1,
    head: 0,
    committedThrough: 0,
    epochs: [[1, 0]],
    resume: "feed",
    resumeAfter: 0,
    homeThrough: 0,
    followed: [],
    outboxThrough: 0,
    outboxTime: 0,
    horizon: 0,
    horizonMs: 604_800_000,
    heartbeatMs: 500,
    leaseMs: 1_500,
    maxClockDriftMs: 10_000,
    holdBack: false,
    clock: { aheadMs: 0, agreeing: 2, members: 2 },
    ...more,
  };
}

/** A frame of `entries` with incarnation, position and sequences 0, with the fields of `header` instead. */
export function frameWith(
  header: Partial<FrameHeader> & Pick<FrameHeader, "sentAtMs">,
  entries: readonly Entry[],
): Uint8Array {
  const whole = {
    kind: FRAME_KIND.entries,
    reportApplied: false,
    incomplete: false,
    count: entries.length,
    after: 0,
    through: 0,
    committedThrough: 0,
    highestTime: highestTimeOf(entries),
    incarnation: 0,
    position: 0,
    ...header,
  };
  return assembleFrame(whole, encodeBlock(entries));
}
