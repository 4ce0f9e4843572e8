import type { Peers } from "../follow/peers.ts";
import type { DirectoryHorizon } from "../horizon/directory-horizon.ts";
import type { Sequencer } from "../order/sequencer.ts";
import type { Conditions, Decider } from "./conditions.ts";
import type { DirectoryClocks } from "./directory-clocks.ts";
import type { DirectoryContext } from "./directory-context.ts";
import type { HeatSum } from "./heat-sum.ts";
import type { KeptComparisons } from "./kept-comparisons.ts";
import type { Membership } from "./membership.ts";

/** The directory that a session is part of. */
export interface SessionHost extends DirectoryContext {
  readonly sequencer: Sequencer;
  readonly horizon: DirectoryHorizon;
  readonly clocks: DirectoryClocks;
  readonly comparisons: KeptComparisons;
  readonly heat: HeatSum;
  /** Who decides the proposals of nodes. */
  readonly conditions: Decider & Pick<Conditions, "doubt">;
  readonly peers: Pick<Peers, "isSyncing" | "has">;
  readonly membership: Pick<Membership, "registryFor" | "size">;
  /** Bytes that may wait on one link before its peer is fed at its own pace: so many, but less where there are many links. */
  readonly linkBytesMax: () => number;
}
