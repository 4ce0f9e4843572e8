/** Circumstances in which the absence of a rule shows more often than usual. With all rules, no guarantee is broken in them. */
import type { SimulatedDirectory, SimulatedNode } from "../cluster.ts";
import { lossOfOnlyCopy } from "../faults.ts";
import type { ClusterParts } from "../parts.ts";
import { TracedStore } from "../traced-store.ts";

/** Of messages of directories to a stream, how many hold up what is behind them. */
const STALLS = 0.03;

const BEGIN = '{"type":"reconcile-begin"';

/** Stores on disks that take up to `commitMs` for a commit. */
export function slowStores(commitMs: number): ClusterParts {
  return {
    openStore: (disk, clock, world) =>
      new TracedStore(disk, (run) => clock.after(world.between(0, commitMs), run)),
  };
}

/** Nodes that die in every other reconciliation. */
export function dyingReconcilers(): ClusterParts {
  return {
    rewrite: (message, to, cluster) => {
      const { world, isMended } = cluster;
      const isBegin = typeof message === "string" && message.startsWith(BEGIN);
      if (isBegin && !isMended && world.chance(0.5))
        cluster.killWithin(to.host, 1 + world.below(10));
      return message;
    },
  };
}

/** Nodes come back with a wrong clock, and with writes that they stamped by it, to a directory that has lost its data. */
export function straysAndLosses(): ClusterParts {
  return {
    faults: (cluster) => {
      const { world, nodes, network, directories } = cluster;
      const goAstray = (node: SimulatedNode): void => {
        cluster.killNode(node);
        network.cut(node.id);
        node.machine.skewMs = world.between(20_000, 3_600_000);
        cluster.startNode(node);
      };
      const lose = (): void => {
        const node = world.pick(nodes);
        goAstray(node);
        const directory = world.pick(directories);
        world.schedule(world.between(500, 2_500), () => {
          cluster.replaceDirectory(directory);
          cluster.startDirectory(directory);
          network.heal(node.id);
        });
      };
      return [lose];
    },
  };
}

/** Nodes are restored from a backup, twice from the same one, and write while their clocks are far behind. */
export function restoredBehind(): ClusterParts {
  return {
    faults: (cluster) => {
      const { world, nodes, network } = cluster;
      const live = (node: SimulatedNode): void => {
        network.cut(node.id);
        node.machine.skewMs = -3_600_000;
        cluster.startNode(node);
        world.schedule(world.between(300, 1_000), () => network.heal(node.id));
      };
      const twice = (): void => {
        const node = world.pick(nodes);
        cluster.killNode(node);
        cluster.backUpNode(node);
        live(node);
        world.schedule(world.between(2_000, 3_000), () => {
          cluster.restoreNode(node);
          live(node);
        });
      };
      return [twice];
    },
  };
}

/** Directories lose entries that no other directory has: the nodes of one go to another, which has not followed it, and the first one comes back empty. */
export function lostDirectories(): ClusterParts {
  return { faults: (cluster) => [lossOfOnlyCopy(cluster)] };
}

/** Directories come back from a backup that is older than the horizon. */
export function restoredDirectories(): ClusterParts {
  return {
    faults: (cluster) => {
      const { world, directories, horizonMs } = cluster;
      const restore = (): void => {
        const directory = world.pick(directories);
        cluster.backUpDirectory(directory);
        world.schedule(world.between(1, 2) * horizonMs, () => {
          cluster.restoreDirectory(directory);
          cluster.startDirectory(directory);
        });
      };
      return [restore];
    },
  };
}

/** A node and a directory are ahead, and the directory is away before another one has followed it, which refuses what was written then; then it comes back. */
export function refusedElsewhere(): ClusterParts {
  return {
    faults: (cluster) => {
      const { world, nodes, directories, network } = cluster;
      const refuse = (): void => {
        const directory = world.pick(directories);
        const others = directories.filter((other) => other !== directory);
        const node = world.pick(nodes);
        cluster.killNode(node);
        node.machine.skewMs = world.between(15_000, 60_000);
        directory.machine.skewMs = node.machine.skewMs;
        cluster.startNode(node);
        for (const { host } of others) network.cutBetween(directory.host, host);
        world.schedule(world.between(200, 1_500), () => {
          if (world.chance(0.5)) cluster.killDirectory(directory);
          else network.cut(directory.host);
          for (const { machine } of [directory, ...nodes]) machine.skewMs = 0;
          world.schedule(world.between(1_000, 4_000), () => {
            for (const { host } of others) network.healBetween(directory.host, host);
            network.heal(directory.host);
            if (directory.process === undefined) cluster.startDirectory(directory);
          });
        });
      };
      return [refuse];
    },
  };
}

/** Writers over a stream, or their lines, stand still with much on its way until another directory writes, or are killed and start again at once. */
export function lateWriters(): ClusterParts {
  return {
    faults: (cluster) => {
      const { over, world, directories } = cluster;
      if (over === undefined) return [];
      const { nats } = over;
      nats.faults = { ...nats.faults, stalls: STALLS };
      const writer = (): SimulatedDirectory =>
        directories.find((each) => over.isWriter(each)) ?? world.pick(directories);
      const restart = (): void => {
        const directory = writer();
        cluster.killDirectory(directory);
        cluster.startDirectory(directory);
      };
      return [restart, () => over.hang(writer(), world.between(2_000, 6_000))];
    },
  };
}

/** Streams that are set back often. */
export function streamsSetBack(): ClusterParts {
  return {
    faults: (cluster) => {
      const { over, world } = cluster;
      if (over === undefined) return [];
      const setBack = (): void => {
        over.backUp();
        world.schedule(world.between(500, 4_000), () => {
          over.restore();
          cluster.noteLoss();
        });
      };
      return [setBack];
    },
  };
}

/**
 * A node and a directory are ahead, and alone with each other. The node no longer hears what the directory has taken, and goes to another one, which has not
 * followed the first and refuses that. Then the first one comes back, to the node perhaps sooner than to the other directories.
 */
export function refusedUnheard(): ClusterParts {
  return {
    faults: (cluster) => {
      const { world, nodes, directories, network } = cluster;
      const refuse = (): void => {
        const directory = world.pick(directories);
        const node = world.pick(nodes);
        const elsewhere = directories.filter((each) => each !== directory).map(({ host }) => host);
        const others = [...elsewhere, ...nodes.map(({ id }) => id).filter((id) => id !== node.id)];
        cluster.killNode(node);
        cluster.killDirectory(directory);
        node.machine.skewMs = world.between(15_000, 60_000);
        directory.machine.skewMs = node.machine.skewMs;
        cluster.startNode(node);
        cluster.startDirectory(directory);
        for (const host of others) network.cutBetween(directory.host, host);
        for (const host of elsewhere) network.cutBetween(node.id, host);
        const deafMs = world.between(300, 2_000);
        world.schedule(deafMs, () => network.cut(node.id, "in"));
        world.schedule(deafMs + world.between(50, 500), () => {
          network.cut(directory.host);
          network.heal(node.id);
          for (const { machine } of [directory, ...nodes]) machine.skewMs = 0;
          for (const host of elsewhere) network.healBetween(node.id, host);
        });
        const backMs = deafMs + world.between(1_500, 5_000);
        world.schedule(backMs, () => network.heal(directory.host));
        world.schedule(backMs + world.between(0, 4_000), () => {
          for (const host of others) network.healBetween(directory.host, host);
        });
      };
      return [refuse];
    },
  };
}

/** Circumstances that `npm run simulate` has options for. */
export const CIRCUMSTANCES = {
  "late-writers": lateWriters,
  "set-back": streamsSetBack,
} as const;

/** A name of one of them. */
export type Circumstance = keyof typeof CIRCUMSTANCES;

/** Whether there is such a circumstance. */
export function isCircumstance(name: string): name is Circumstance {
  return Object.hasOwn(CIRCUMSTANCES, name);
}
