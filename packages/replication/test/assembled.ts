import { assembleFrame, FRAME_KIND, type LogFrame } from "@meridian/protocol";

/** A frame of a log as it goes out, with its place. */
export function assembled(frame: LogFrame): Pick<
  LogFrame,
  "after" | "through" | "incarnation" | "position"
> & {
  readonly bytes: Uint8Array;
} {
  const { after, through, count, highestTime, incarnation, position, block } = frame;
  const place = { after, through, incarnation, position };
  const header = { ...place, count, highestTime, committedThrough: 0, sentAtMs: 0 };
  const kind = { kind: FRAME_KIND.entries, reportApplied: false, incomplete: false };
  return { ...place, bytes: assembleFrame({ ...header, ...kind }, block) };
}
