/** That all directories over a stream have made the same log of it. */
import type { LogDisk } from "@meridian/testkit";

import type { SimulatedCluster } from "../cluster.ts";
import type { StreamDirectories } from "./stream-directories.ts";

/** Checks that the database of each directory says what the stream says. */
export function checkOneLog(
  { directories }: SimulatedCluster,
  { truth }: StreamDirectories,
): string[] {
  const expected = wordsOf(truth.disk);
  return directories.flatMap(({ host, disk }) => {
    const found = wordsOf(disk);
    return Object.entries(expected).flatMap(([what, word]) =>
      found[what] === word ? [] : [`${host}: ${what} is ${found[what]}, in the stream ${word}`],
    );
  });
}

/** What a log says, each in one text. */
function wordsOf(disk: LogDisk): Record<string, string> {
  const entries = [...disk.entries].map(
    ([key, { entry, sequence }]) => `${key}@${entry.stamp.time}-${entry.stamp.origin}#${sequence}`,
  );
  const marks = [...disk.marks].map(
    ([incarnation, mark]) => `${incarnation}${JSON.stringify(mark)}`,
  );
  const { logId, committedThrough, horizonState, doubt } = disk;
  return {
    logId: String(logId),
    committedThrough: String(committedThrough),
    horizonState: JSON.stringify(horizonState),
    doubt: JSON.stringify(doubt),
    entries: entries.toSorted().join(" "),
    marks: marks.toSorted().join(" "),
    members: [...disk.members.keys()].toSorted().join(" "),
  };
}
