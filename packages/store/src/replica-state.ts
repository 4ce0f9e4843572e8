/**
 * The facts that a replica's store keeps beside its entries. Both threads keep them: the main thread as of the last record that was
 * appended, the writer thread as of the last record that was written. Both update them by `applyRecord`.
 */
import type { Cursor } from "@meridian/protocol";
import type { ReplicaWrite } from "./writer-messages.ts";

/** The facts of a store after some write. */
export interface ReplicaFacts {
  readonly incarnation: number;
  readonly cursor: Cursor | undefined;
  /** The cursors in other logs. */
  readonly others: readonly Cursor[];
  readonly outboxThrough: number;
  /** Invariant: ≤ outboxThrough. */
  readonly outboxAcknowledged: number;
  /** The highest stamp time that there has ever been. */
  readonly highestTime: number;
  /** The last row of the journal that there is or was. */
  readonly journalThrough: number;
  readonly horizon: number;
  /** The last id that an entry in the quarantine has got. */
  readonly quarantineThrough: number;
}

/** The facts after `write`. */
export function applyRecord(facts: ReplicaFacts, write: ReplicaWrite): ReplicaFacts {
  switch (write.kind) {
    case "entries":
      // Each member by its name: this is done for each write, and objects that are spread and then changed take V8 several times as long.
      return {
        incarnation: facts.incarnation,
        cursor: write.cursor ?? facts.cursor,
        others: facts.others,
        outboxThrough: Math.max(facts.outboxThrough, write.outboxPosition),
        outboxAcknowledged: facts.outboxAcknowledged,
        highestTime: Math.max(facts.highestTime, write.highestTime),
        journalThrough: Math.max(facts.journalThrough, write.id),
        horizon: facts.horizon,
        quarantineThrough: facts.quarantineThrough + (write.quarantined?.count ?? 0),
      };
    case "progress": {
      const acknowledged = Math.min(write.outboxThrough, facts.outboxThrough);
      return {
        ...facts,
        cursor: write.cursor ?? facts.cursor,
        others: write.others ?? facts.others,
        outboxAcknowledged: Math.max(facts.outboxAcknowledged, acknowledged),
        horizon: Math.max(facts.horizon, write.horizon),
      };
    }
    case "adopt":
      return { ...facts, incarnation: write.incarnation };
    case "release":
      return facts;
  }
}
