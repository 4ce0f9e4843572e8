import type { LogFrame } from "@meridian/protocol";
import type { StreamPlace } from "./stream-place.ts";
import type { DirectoryWrite } from "./writer-messages.ts";

/** A frame of a log as the writer thread gets it. */
export function frameWrite(frame: LogFrame, place: StreamPlace | undefined): DirectoryWrite {
  const { after, through, count, highestTime, incarnation, position, block } = frame;
  const { incomplete = false, followed, compared } = frame;
  // Nearly all frames have none of these. V8 makes a dictionary of an object into which others are spread, and each look at a member of that is slow.
  if (followed === undefined && compared === undefined && place === undefined) {
    return {
      kind: "frame",
      after,
      through,
      count,
      highestTime,
      incarnation,
      position,
      incomplete,
      block,
    };
  }
  return {
    kind: "frame",
    after,
    through,
    count,
    highestTime,
    incarnation,
    position,
    incomplete,
    block,
    ...(followed && { followed }),
    ...(compared && { compared }),
    ...(place && { place }),
  };
}
