import type { Gauge } from "@meridian/runtime";

import type { ReplicaLimits } from "../limits.ts";
import type { Acknowledgements } from "./acknowledgements.ts";
import type { Positions } from "./positions.ts";
import type { Submitter } from "./submitter.ts";

/** How full what a replica holds is. */
export function replicaGauges(
  { windowBytes, waitersMax }: ReplicaLimits,
  { inFlightBytes }: Submitter,
  acknowledgements: Acknowledgements,
  positions: Positions,
): readonly Gauge[] {
  return [
    { name: "outboxInFlightBytes", now: inFlightBytes, max: windowBytes },
    { name: "acknowledgementWaiters", now: acknowledgements.waiting, max: waitersMax },
    { name: "positionWaiters", now: positions.waiting, max: waitersMax },
  ];
}
