import { encodeMessage } from "@meridian/protocol";
import { randomIdentity } from "@meridian/runtime";
import { helloOf } from "@meridian/testkit";

import type { SimulatedCluster } from "./cluster.ts";
import { START_MS } from "./world.ts";

const STAY_MS = 800;

/** Until `untilMs`, a machine whose clock is off by `skewMs` greets directories, each time under another id, and soon leaves again. */
export function scheduleStrangers(
  cluster: SimulatedCluster,
  untilMs: number,
  skewMs: () => number,
): void {
  const { world, directories } = cluster;
  let count = 0;
  const greet = (): void => {
    if (world.nowMs > untilMs) return;
    count += 1;
    const nodeId = `stranger-${count}`;
    const incarnation = randomIdentity(world.random);
    const link = cluster.dial("stranger", world.pick(directories), {
      onOpen: () => {
        const nowMs = START_MS + world.nowMs + skewMs();
        const hello = {
          cluster: "simulated",
          nodeId,
          incarnation,
          status: "syncing",
          nowMs,
        } as const;
        link.send(encodeMessage(helloOf(hello)));
      },
      onMessage: () => {},
      onPart: () => {},
      onDrain: () => {},
      onClose: () => {},
    });
    world.schedule(world.between(0, STAY_MS), () => {
      link.close(1000, "");
      greet();
    });
  };
  greet();
}
