/** That all directories over a stream have made the same log of it. */
import type { LogDisk } from "@meridian/testkit";

import type { SimulatedCluster } from "../cluster.ts";
import type { StreamDirectories } from "./stream-directories.ts";

/** A directory beside the writer gives a stream that is shorter than it was so long to come back, before it begins anew. In milliseconds. */
const PATIENCE_MS = 25_000;

/** Checks that the database of each directory comes to say what the stream says. */
export async function checkOneLog(
  cluster: SimulatedCluster,
  over: StreamDirectories,
): Promise<string[]> {
  const { world } = cluster;
  const untilMs = world.nowMs + PATIENCE_MS;
  for (;;) {
    const differing = differences(cluster, over);
    if (differing.length === 0 || world.nowMs >= untilMs) return differing;
    await world.run(world.nowMs + 500);
  }
}

function differences({ directories }: SimulatedCluster, { truth }: StreamDirectories): string[] {
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
