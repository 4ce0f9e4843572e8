/** What a drill does and has done, in words. */
import type { DrillState } from "./playground.ts";

const PHASES: Readonly<Record<string, string>> = {
  gathering: "All come to hold the same before it begins",
  load: "Under load",
  fault: "Something goes wrong",
  healed: "It is put right, and all come together again",
  settling: "The load has ended, and all come to hold the same",
  audit: "Every key is read in every region",
};

/** What happens in a phase. */
export function phaseText(phase: string): string {
  return PHASES[phase] ?? phase;
}

/** How promises look. */
export const PROMISE_LOOKS: Readonly<
  Record<"open" | "kept" | "broken", { readonly icon: string; readonly word: string }>
> = {
  open: { icon: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18", word: "holds so far" },
  kept: { icon: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M8 12.5l2.7 2.7L16 9.5", word: "kept" },
  broken: { icon: "M4 4h16v16H4zM8.5 8.5l7 7M15.5 8.5l-7 7", word: "broken" },
};

/** What the load has done so far. */
export function countsText(counts: NonNullable<DrillState["counts"]>): string {
  const { acknowledged, deletes, reads, refused, unanswered } = counts;
  const told = [
    `${acknowledged.toLocaleString("en")} writes acknowledged (${deletes.toLocaleString("en")} deletes)`,
    `${reads.toLocaleString("en")} reads`,
    `${refused.toLocaleString("en")} requests refused`,
    `${unanswered.toLocaleString("en")} without an answer`,
  ];
  return `${told.join(", ")}.`;
}
