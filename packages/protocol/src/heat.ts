/** Which keys are used: what nodes tell their directory, and the directory tells the other nodes. */
import { HEAT_BYTES_MAX } from "./limits.ts";
import { utf8Length } from "./validate.ts";

/** A key, and how often clients have read it lately. The reads are a whole number from 1 to `HEAT_READS_MAX`. */
export type KeyHeat = [key: string, reads: number];

/** What a message has beside its keys, in bytes, rounded up. */
const ENVELOPE_BYTES = 128;

/**
 * As many of the hottest keys as fit into one message, the hottest first. Keys whose reads differ by less than a factor of two may
 * come in any order: so no list has to be sorted, however long it is.
 */
export function hottest(keys: Iterable<KeyHeat>): KeyHeat[] {
  const byMagnitude: KeyHeat[][] = Array.from({ length: 32 }, () => []);
  for (const each of keys) byMagnitude[Math.clz32(each[1])]?.push(each);
  const chosen: KeyHeat[] = [];
  let bytes = ENVELOPE_BYTES;
  for (const each of byMagnitude.flat()) {
    bytes += utf8Length(JSON.stringify(each)) + 1;
    if (bytes > HEAT_BYTES_MAX) break;
    chosen.push(each);
  }
  return chosen;
}
