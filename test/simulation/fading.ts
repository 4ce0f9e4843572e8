import type { Entry } from "@meridian/protocol";

import { START_MS } from "./world.ts";

/** An entry that expires by then has expired, by every clock, at the end of each simulation. One that expires later has not. */
const OVER_BY_MS = START_MS + 30 * 60_000;

/** Whether the entry may be gone at the end of a simulation, because it is a delete or has expired by then. */
export function fades({ deleted, expiresAtMs }: Pick<Entry, "deleted" | "expiresAtMs">): boolean {
  return deleted || (expiresAtMs > 0 && expiresAtMs < OVER_BY_MS);
}
