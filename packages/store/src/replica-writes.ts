import { encodeBlock, type RemoteRecord, type Stamp } from "@meridian/protocol";
import type { QuarantineWrite } from "./writer-messages.ts";

/** Stamps as pairs of time and origin. */
export function numbersOf(stamps: readonly Stamp[]): Float64Array {
  const numbers = new Float64Array(stamps.length * 2);
  for (const [index, { time, origin }] of stamps.entries()) {
    numbers[index * 2] = time;
    numbers[index * 2 + 1] = origin;
  }
  return numbers;
}

/** Entries on their way into the quarantine, as the writer thread gets them. */
export function quarantineWrite({
  entries,
  atMs,
}: NonNullable<RemoteRecord["quarantined"]>): QuarantineWrite {
  return { atMs, count: entries.length, block: encodeBlock(entries) };
}
