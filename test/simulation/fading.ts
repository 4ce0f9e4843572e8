import type { Entry } from "@meridian/protocol";

import { START_MS } from "./world.ts";

/** Whatever ends by then is over by the end of any simulation; what ends later outlives it, by whose clock ever. */
const OVER_BY_MS = START_MS + 30 * 60_000;

/** Whether nothing may be left of an entry in the end: it is a delete, or its time to live is over by then. */
export function fades({ deleted, expiresAtMs }: Pick<Entry, "deleted" | "expiresAtMs">): boolean {
  return deleted || (expiresAtMs > 0 && expiresAtMs < OVER_BY_MS);
}
