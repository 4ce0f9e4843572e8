/** The result of a comparison, for the page. */
import { outcomeText, type VerifyReport } from "@meridian/doctor";

import type { Verdict } from "../map/shapes.ts";

type PartyReport = VerifyReport["parties"][number];

/** How a party compares: one that is gone, or was not reached, was not compared. */
export function verdictOf({ failure, gone, differing }: PartyReport): Verdict {
  if (failure !== null || gone !== undefined) return "unknown";
  return differing > 0 ? "differs" : "same";
}

/** What came out, and what it means, as sentences. */
export function sentencesOf(report: VerifyReport): readonly string[] {
  return [outcomeText(report), ...report.parties.flatMap(sentencesOfParty)];
}

function sentencesOfParty({
  name,
  failure,
  gone,
  differing,
  behind,
}: PartyReport): readonly string[] {
  if (gone !== undefined) return [`${name} is gone, and was not compared.`];
  if (failure !== null) return [`${name} could not be asked: ${failure}`];
  const said: string[] = [];
  if (differing > 0) {
    const keys = differing === 1 ? "one key" : `${differing.toLocaleString("en")} keys`;
    said.push(`${name} holds nothing, or something older than others, under ${keys}.`);
  }
  if (behind) said.push(`${name} had not caught up yet; compare again once it has.`);
  return said;
}
