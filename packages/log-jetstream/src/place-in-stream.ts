import type { Clock } from "@meridian/runtime";
import type { StreamPlace } from "@meridian/store";

import { delay } from "./delay.ts";
import { readPlace } from "./lineage.ts";
import type { LogStream } from "./log-stream.ts";

/** What a stream has at a place: its message, another one, or none; or it begins behind it. */
export type Found = "there" | "another" | "none" | "trimmed";

/** How long it takes from one question to the next. */
export const STEP_MS = 250;

/** A new leader of the stream may have to read its disk before it knows the newest messages. */
export const BEHIND_MS = 5_000;

/**
 * Looks for the message of a place. One that is not there is waited for: servers that lag behind do not know it yet, and what one of them says of the
 * end of the stream, another one may not say of the message.
 */
export async function lookFor(
  { sequence, id }: StreamPlace,
  stream: Pick<LogStream, "bounds" | "get">,
  clock: Clock,
): Promise<Found> {
  const { message } = readPlace(id);
  for (let restMs = BEHIND_MS; ; restMs -= STEP_MS) {
    const { first } = await stream.bounds();
    if (first > sequence) return "trimmed";
    const found = await stream.get(sequence);
    if (found !== undefined) return found.id === message ? "there" : "another";
    if (restMs <= 0) return "none";
    await delay(clock, STEP_MS);
  }
}
