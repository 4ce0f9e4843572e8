import { assembleFrame, encodeBlock, FRAME_KIND, stampTimeOf } from "@meridian/protocol";

/** Frames of one entry, stamped at `nowMs`, each with one invalid field. */
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
    // No node has this incarnation: some of these frames are otherwise valid, and would be accepted.
    incarnation: 666,
    position: 1,
  };
  const fields = ["highestTime", "incarnation", "position", "count"] as const;
  const frames = fields.flatMap((field) =>
    [0, 1, 2, most, 2 ** 48].map((value) => assembleFrame({ ...usual, [field]: value }, block)),
  );
  return [...frames, new Uint8Array(), new Uint8Array(63), new Uint8Array(64).fill(255)];
}
