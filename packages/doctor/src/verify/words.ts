/** Describes the result of a comparison in sentences. */
import { parseStamp, unixMsOf } from "@meridian/protocol";

import { agoText } from "../span.ts";
import type { PartyReport, VerifyReport } from "./verify-cluster.ts";

/** How a party compares, in a few words. */
export function verdictText(
  { failure, differing, behind, gone }: PartyReport,
  nowMs: number,
): string {
  if (gone !== undefined) {
    const { sinceMs } = gone;
    return sinceMs === null ? "gone" : `gone, ${agoText(nowMs - sinceMs)}`;
  }
  if (failure !== null) return "not reached";
  const said = differing === 0 ? "same" : `differs in ${differing}`;
  return behind ? `${said}, behind` : said;
}

/** Describes what all parties hold. Deleted and expired entries are counted, too, because they are remembered for a while. */
function contentsText({ tally, parties }: VerifyReport): string {
  if (tally === null) return `${parties[0]?.entries ?? 0} live and deleted entries`;
  const { live, expired, deleted } = tally;
  const said = [`${live} ${live === 1 ? "entry" : "entries"}`];
  if (expired > 0) said.push(`${expired} expired`);
  if (deleted > 0) said.push(`${deleted} deleted`);
  return said.join(", ");
}

/** The whole result in one sentence. */
export function outcomeText(report: VerifyReport): string {
  const { equal, differing } = report;
  if (equal) return `Everyone holds the same: ${contentsText(report)}.`;
  if (differing > 0) return `${differing === 1 ? "1 key differs" : `${differing} keys differ`}.`;
  return "Those who could be asked hold the same.";
}

/** What a party holds of a key: the version, and when it was written. */
export function heldText(stamp: string | null): string {
  if (stamp === null) return "nothing";
  return `${stamp}  ${new Date(unixMsOf(parseStamp(stamp).time)).toISOString()}`;
}
