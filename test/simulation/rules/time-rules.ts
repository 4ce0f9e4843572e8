import { ClusterClock } from "@meridian/replication/source/time/cluster-clock";
import { MemberClocks } from "@meridian/replication/source/time/member-clocks";

import { patched, type Rule } from "./rule.ts";

/** Rules of whose clock is believed. */
export const TIME_RULES: readonly Rule[] = [
  {
    rule: "a directory goes by what most clocks say, and not by its own",
    off: "a directory's clock is taken for what most of them say",
    faults: "time",
    seed: 1,
    parts: () =>
      patched(
        MemberClocks,
        "vote",
        (original) =>
          function (this: MemberClocks) {
            const said = original.call(this);
            const own = said.others.find(({ id }) => id === "this directory");
            return { ...said, offsetMs: own?.offsetMs ?? said.offsetMs, agreeing: 2, members: 2 };
          },
      ),
  },
  {
    rule: "what cannot be undone waits for a majority",
    off: "a node takes the time that it goes by for a confirmed one",
    faults: "time",
    seed: 1,
    parts: () =>
      patched(
        ClusterClock,
        "confirmedMs",
        () =>
          function (this: ClusterClock) {
            return this.ownMs();
          },
      ),
  },
];
