import type { ReplicaStore } from "@meridian/ports";
import { FRAME_BYTES_TARGET, type OutboxFrame } from "@meridian/protocol";

/** The frames of an outbox after a position, read a few at a time. */
export function* outboxFrames(
  store: Pick<ReplicaStore, "outboxAfter">,
  after: number,
): Generator<OutboxFrame> {
  for (let position = after; ;) {
    const frames = store.outboxAfter(position, FRAME_BYTES_TARGET);
    yield* frames;
    const last = frames.at(-1);
    if (last === undefined) return;
    position = last.position;
  }
}
