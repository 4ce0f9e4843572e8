/** What a regional node does for its clients, whatever protocol they speak. */
import type { Replica } from "@meridian/replication";
import type { Revocations } from "@meridian/tokens";

import type { RequestAdmission } from "./admission.ts";
import type { EntryReports } from "./entry-reports.ts";
import type { Leases } from "./leases.ts";
import type { Reads } from "./reads.ts";
import type { ScopedEntries } from "./scoped-entries.ts";
import type { Watches } from "./watches.ts";
import type { Writes } from "./writes.ts";

/** A node's service. Knows no protocol: that is for its listeners. */
export interface RegionService {
  readonly nodeId: string;
  readonly admission: RequestAdmission;
  readonly reads: Reads;
  readonly writes: Writes;
  /** What is decided and read in the order of the whole cluster. */
  readonly scoped: ScopedEntries;
  readonly leases: Leases;
  readonly watches: Watches;
  readonly reports: EntryReports;
  /** Which tokens have been revoked. */
  readonly revocations: Revocations;
  /** The cluster's time, by which expiry is judged. */
  readonly time: Pick<Replica, "nowMs">;
}
