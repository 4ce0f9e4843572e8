/** The rows by which two versions of Meridian are compared. */
import type { NodePrograms } from "@meridian/local-cluster";

import { catchUpContender } from "./catch-up-row.ts";
import { httpContender } from "./http-row.ts";
import { serveRegion } from "./lone-region.ts";
import { TwoRegions } from "./meridian.ts";
import { putScript } from "./put-script.ts";
import { replicationContender } from "./replication-row.ts";
import type { Contender, Row } from "./rounds.ts";
import type { Workplace } from "./workplace.ts";

/** How much is measured. */
export interface Extent {
  readonly rounds: number;
  /** The length of one load. */
  readonly seconds: number;
  readonly connections: number;
  readonly setsPerSecond: number;
  /** How many sets a region misses before it catches up. */
  readonly missed: number;
}

/** The versions that are compared, by name. */
export type Versions = Readonly<Record<string, NodePrograms>>;

/** The rows of two versions. */
export function guardRows(
  workplace: Workplace,
  versions: Versions,
  extent: Extent,
): readonly Row[] {
  const row = (name: string, of: (version: string, programs: NodePrograms) => Contender): Row => ({
    name,
    rounds: extent.rounds,
    contenders: Object.entries(versions).map(([version, programs]) => of(version, programs)),
  });
  const put = (durability: string): Row =>
    row(`put-${durability}`, (version, programs) => {
      const args = [`--durability=${durability}`];
      const script = putScript(workplace, "/cache/");
      const serve = () => serveRegion(workplace, { programs, args, script });
      return httpContender(workplace, version, serve, extent);
    });
  return [
    row("get", (version, programs) =>
      httpContender(workplace, version, () => serveRegion(workplace, { programs }), extent),
    ),
    put("process"),
    put("power"),
    row("replication", (version, programs) =>
      replicationContender(version, () => TwoRegions.start(workplace, programs), extent),
    ),
    row("catch-up", (version, programs) =>
      catchUpContender(version, () => TwoRegions.start(workplace, programs), extent),
    ),
  ];
}
