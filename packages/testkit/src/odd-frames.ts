import { assembleFrame, encodeBlock, FRAME_KIND, stampTimeOf } from "@meridian/protocol";

/** Frames with one field that is not as it should be, of an entry that was made at `nowMs`. */
export function oddFrames(nowMs: number): readonly Uint8Array[] {
  const stamp = { time: stampTimeOf(nowMs), origin: 5 };
  const entry = {
    key: "odd",
    value: Uint8Array.of(1),
    contentType: "",
    stamp,
    expiresAtMs: 0,
    deleted: false,
  };
  const [block, most] = [encodeBlock([entry]), Number.MAX_SAFE_INTEGER];
  const usual = {
    kind: FRAME_KIND.entries,
    reportApplied: true,
    incomplete: false,
    count: 1,
    after: most - 1,
    through: most,
    committedThrough: most,
    highestTime: stamp.time,
    sentAtMs: -1e300,
    // Nobody's: a frame that is right would be taken.
    incarnation: 666,
    position: 1,
  };
  const fields = ["highestTime", "incarnation", "position", "count"] as const;
  const frames = fields.flatMap((field) =>
    [0, 1, 2, most, 2 ** 48].map((value) => assembleFrame({ ...usual, [field]: value }, block)),
  );
  return [...frames, new Uint8Array(), new Uint8Array(63), new Uint8Array(64).fill(255)];
}
