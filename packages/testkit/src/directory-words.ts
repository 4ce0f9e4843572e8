import {
  agree,
  capabilities,
  encodeBlock,
  assembleFrame,
  FRAME_KIND,
  highestTimeOf,
  type Entry,
  type FrameHeader,
  type Welcome,
} from "@meridian/protocol";

/** The greeting of a directory whose log 7 is empty, but for what `more` says. */
export function welcomeWith(more: Partial<Welcome> & Pick<Welcome, "nowMs">): Welcome {
  return {
    type: "welcome",
    ...agree(capabilities()),
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

/** A frame of `entries` of no outbox and at no place, but for what `header` says. */
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
