import type { Summary } from "@meridian/protocol";

/** What a bounded look at the keys has found. */
export interface SummaryPage {
  readonly summaries: readonly Summary[];
  /** The key to go on after, which may be beyond the last summary; null at the end of the keys. */
  readonly next: string | null;
}
