/** What goes wrong in simulations. */
import { DIRECTORY } from "./bounds.ts";
import type { SimulatedCluster, SimulatedNode } from "./cluster.ts";
import type { CutWays } from "./network.ts";

/** Has something go wrong now and then until `untilMs`. */
export function scheduleFaults(
  cluster: SimulatedCluster,
  untilMs: number,
  faults: readonly (() => void)[],
): void {
  const { world } = cluster;
  const everyMs = world.between(300, 2_500);
  const strike = (): void => {
    if (world.nowMs > untilMs) return;
    world.pick(faults)();
    world.schedule(world.between(0, 2 * everyMs), strike);
  };
  world.schedule(world.between(0, 2 * everyMs), strike);
}

/** Everything. */
export function allFaults(cluster: SimulatedCluster): (() => void)[] {
  // Restoring a node and replacing the directory at once may rightly lose data: nobody has it any more.
  const losesNodes = cluster.world.chance(0.5);
  return [...commonFaults(cluster, true), ...(losesNodes ? nodeLoss(cluster) : logLoss(cluster))];
}

/** Nodes restart with their clocks set anew, and the directory's is set. */
export function clockFaults(cluster: SimulatedCluster): (() => void)[] {
  const { world, nodes } = cluster;
  const restart = (): void => {
    const node = world.pick(nodes);
    cluster.killNode(node);
    node.machine.skewMs = world.between(-9_000, 9_000);
    world.schedule(world.between(0, 500), () => cluster.startNode(node));
  };
  const setDirectory = (): void => {
    cluster.directoryMachine.skewMs = world.between(-3_600_000, 3_600_000);
  };
  return [restart, restart, restart, setDirectory];
}

function commonFaults(cluster: SimulatedCluster, setsClocks: boolean): (() => void)[] {
  const { world, nodes, network } = cluster;
  const later = (low: number, high: number, run: () => void): void =>
    world.schedule(world.between(low, high), run);
  const restart = (node: SimulatedNode): void => {
    cluster.killNode(node);
    later(0, 4_000, () => cluster.startNode(node));
  };
  const cut = (host: string, ways?: CutWays): void => {
    network.cut(host, ways);
    later(50, 5_000, () => network.heal(host));
  };
  const setNode = (): void => {
    world.pick(nodes).machine.skewMs = world.between(-3_600_000, 3_600_000);
  };
  const setDirectory = (): void => {
    const farMs = world.pick([10_000, 3_600_000]);
    cluster.directoryMachine.skewMs = world.between(-farMs, farMs);
  };
  return [
    () => restart(world.pick(nodes)),
    () => restart(world.pick(nodes)),
    () => cut(world.pick(nodes).id),
    () => cut(world.pick(nodes).id),
    () => cut(world.pick(nodes).id, world.pick(["in", "out"])),
    () => network.breakLinks(world.pick(nodes).id),
    () => cut(DIRECTORY),
    () => {
      cluster.killDirectory();
      later(0, 3_000, () => cluster.startDirectory());
    },
    ...(setsClocks ? [setNode, setDirectory] : []),
    () => cluster.killWithin(world.pick(nodes).id, 1 + world.below(30)),
    () => cluster.killWithin(DIRECTORY, 1 + world.below(60)),
    () => {
      const { process } = world.pick(nodes);
      if (process === undefined) return;
      process.store.full = true;
      later(50, 1_500, () => {
        process.store.full = false;
      });
    },
  ];
}

function nodeLoss(cluster: SimulatedCluster): (() => void)[] {
  const { world, nodes } = cluster;
  return [
    () => cluster.backUpNode(world.pick(nodes)),
    () => {
      const node = world.pick(nodes);
      cluster.restoreNode(node);
      world.schedule(world.between(0, 2_000), () => cluster.startNode(node));
    },
    // What the directory had passed on and not committed is then with nobody but the others.
    () => {
      const node = world.pick(nodes);
      cluster.killDirectory();
      cluster.restoreNode(node);
      world.schedule(world.between(0, 2_000), () => cluster.startNode(node));
      world.schedule(world.between(0, 2_000), () => cluster.startDirectory());
    },
  ];
}

function logLoss(cluster: SimulatedCluster): (() => void)[] {
  const { world } = cluster;
  const comeBack = (): void =>
    world.schedule(world.between(0, 2_000), () => cluster.startDirectory());
  return [
    () => cluster.backUpDirectory(),
    () => {
      cluster.restoreDirectory();
      comeBack();
    },
    () => {
      if (!world.chance(0.3)) return;
      cluster.replaceDirectory();
      comeBack();
    },
  ];
}

/** Everything but wrong clocks; and nodes and directories are away for longer than tombstones are kept. */
export function horizonFaults(cluster: SimulatedCluster): (() => void)[] {
  const { world, nodes, network, horizonMs } = cluster;
  const awayMs = (): number => world.between(0.2, 3) * horizonMs;
  const restartLate = (): void => {
    const node = world.pick(nodes);
    cluster.killNode(node);
    world.schedule(awayMs(), () => cluster.startNode(node));
  };
  const cutLong = (): void => {
    const { id } = world.pick(nodes);
    network.cut(id);
    world.schedule(awayMs(), () => network.heal(id));
  };
  const losesNodes = world.chance(0.5);
  return [
    ...commonFaults(cluster, false),
    ...(losesNodes ? nodeLoss(cluster) : logLoss(cluster)),
    restartLate,
    restartLate,
    cutLong,
    cutLong,
    () => {
      cluster.killDirectory();
      world.schedule(awayMs() / 2, () => cluster.startDirectory());
    },
  ];
}
