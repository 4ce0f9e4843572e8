import { stampTimeOf } from "@meridian/protocol";

import { TracedStore } from "../traced-store.ts";
import {
  refusedElsewhere,
  refusedUnheard,
  restoredBehind,
  slowStores,
  straysAndLosses,
} from "./circumstances.ts";
import { both, without, type Rule } from "./rule.ts";
import { forgetful, stores, tampered } from "./tampering.ts";

/** A store that forgets at a restart which stamp is the highest that it has held. */
class ClocklessStore extends TracedStore {
  override get highestTime(): number {
    return 0;
  }
}

const NO_DRIFT_MS = 10_000;

/** Rules of stamps and clocks. */
export const STAMP_RULES: readonly Rule[] = [
  {
    rule: "a clock merges every stamp that its node receives",
    off: "it goes by its own alone",
    faults: "all",
    seed: 6,
    parts: () => without("clocksMergeStamps"),
  },
  {
    rule: "a clock's floor comes back from the store after a crash",
    off: "the store's highestTime is 0",
    faults: "clocks",
    seed: 47,
    parts: () => stores(ClocklessStore),
  },
  {
    rule: "a stamp too far ahead is refused at admission",
    off: "every stamp is admitted",
    faults: "all",
    seed: 25,
    parts: () => without("stampsAheadAreRefused"),
  },
  {
    rule: "what is refused gets a new stamp from its origin",
    off: "it keeps the old one",
    faults: "all",
    seed: 25,
    parts: () => without("refusedIsRestamped"),
  },
  {
    rule: "receivers apply whatever was admitted, with no check of their own",
    off: "the store is given no entry more than 10 s ahead of the node's clock",
    faults: "all",
    seed: 6,
    parts: () =>
      tampered((record, { clock }) => {
        if (record.kind !== "remote") return record;
        const timeMax = stampTimeOf(clock.nowMs() + NO_DRIFT_MS);
        return { ...record, entries: record.entries.filter(({ stamp }) => stamp.time <= timeMax) };
      }),
  },
  {
    rule: "a new stamp replaces the old one although it is lower",
    off: "the store is told to replace nothing",
    faults: "all",
    seed: 23,
    parts: () =>
      tampered((record) =>
        record.kind === "restamp"
          ? { ...record, replaced: record.replaced.map(() => ({ time: 0, origin: 1 })) }
          : record,
      ),
  },
  {
    rule: "new stamps lie above every stamp that the node has seen admitted",
    off: "they begin at the clock",
    faults: "all",
    seed: 113,
    parts: () => without("newStampsLieAboveAdmitted"),
  },
  {
    rule: "an entry that comes with a stamp that was taken back does not win over what the node holds",
    off: "it wins by its stamp",
    faults: "all",
    directories: 2,
    seed: 127,
    harder: () => refusedElsewhere(),
    parts: () => without("takenBackIsOutranked"),
  },
  {
    rule: "a node that has taken stamps back gets what a log has under them",
    off: "it knows better places, and does not get its own frames",
    faults: "all",
    directories: 2,
    seed: 581,
    harder: () => refusedUnheard(),
    parts: () => without("takenBackIsFound"),
  },
  {
    rule: "no write is stamped while others get new stamps",
    off: "writes go on",
    faults: "all",
    seed: 25,
    harder: () => both(slowStores(40), straysAndLosses()),
    parts: () => without("writesWaitForRestamping"),
  },
  {
    rule: "equal times are ordered by origin",
    off: "all stamps have one origin",
    faults: "all",
    seed: 6,
    parts: () => without("stampsNameOrigins"),
  },
  {
    rule: "an origin is drawn at each opening of a database",
    off: "the first number that a replica draws is the same each time for its node",
    faults: "all",
    seed: 183,
    harder: () => restoredBehind(),
    parts: () => ({
      replicaOptions: (options) => {
        const { random, node } = options;
        let drawn = false;
        const next = (): number => {
          if (drawn) return random.next();
          drawn = true;
          return (1 + Number(node.id.slice(1))) / 1_000;
        };
        return { ...options, random: { next } };
      },
    }),
  },
  {
    rule: "a delete leaves a tombstone",
    off: "nodes and log keep no deleted entry",
    faults: "all",
    seed: 2,
    parts: () => forgetful(({ deleted }) => deleted),
  },
  {
    rule: "an expired entry keeps its stamp as a stub",
    off: "nodes and log keep no expired entry",
    faults: "all",
    seed: 3,
    parts: () => forgetful(({ expiresAtMs }, nowMs) => expiresAtMs > 0 && expiresAtMs <= nowMs),
  },
];
