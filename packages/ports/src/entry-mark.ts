import type { Entry } from "@meridian/protocol";

/** The members of an entry by which two entries are compared, and by which an entry is live, expired or purgeable. */
export type EntryMark = Pick<Entry, "key" | "stamp" | "deleted" | "expiresAtMs">;
