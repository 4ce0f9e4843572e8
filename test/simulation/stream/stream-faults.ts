/** The faults of a stream, and of the directories over it. */
import type { SimulatedCluster, SimulatedDirectory } from "../cluster.ts";
import { NATS } from "./nats.ts";
import type { StreamDirectories } from "./stream-directories.ts";

/** How long it takes from one fault to the next, on average: with less, nobody writes most of the time. In milliseconds. */
export const STREAM_FAULT_EVERY_MS = [800, 4_000] as const;

/** Faults that lose nothing: whatever happens, the stream has what it has acknowledged. */
export function streamFaults(cluster: SimulatedCluster, over: StreamDirectories): (() => void)[] {
  const { world, network, directories } = cluster;
  const { nats } = over;
  const later = (low: number, high: number, run: () => void): void =>
    world.schedule(world.between(low, high), run);
  // Most are over before anybody takes over.
  const lastsMs = (mostMs: number): number =>
    world.between(50, world.chance(0.7) ? mostMs / 6 : mostMs);
  const pick = (): SimulatedDirectory =>
    world.chance(0.7)
      ? (directories.find((each) => over.isWriter(each)) ?? world.pick(directories))
      : world.pick(directories);
  const cut = (): void => {
    const { host } = pick();
    network.cutBetween(host, NATS);
    world.schedule(lastsMs(8_000), () => network.healBetween(host, NATS));
  };
  const loseFolder = (): void => {
    const directory = pick();
    cluster.replaceDirectory(directory);
    later(0, 2_000, () => cluster.startDirectory(directory));
  };
  const loseLeader = (): void => nats.log.loseLeader(lastsMs(6_000));
  return [
    loseLeader,
    loseLeader,
    () => nats.snapshots.loseLeader(lastsMs(6_000)),
    cut,
    cut,
    () => over.hang(pick(), lastsMs(9_000)),
    () => over.hang(pick(), lastsMs(9_000)),
    () => over.stop(pick(), world.between(0, 2_000)),
    () => cluster.killWithin(pick().host, 1 + world.below(60)),
    loseFolder,
    () => cluster.backUpDirectory(world.pick(directories)),
    () => {
      const directory = world.pick(directories);
      cluster.restoreDirectory(directory);
      later(0, 2_000, () => cluster.startDirectory(directory));
    },
  ];
}

/** The stream is set back to an older state. */
export function streamLoss(cluster: SimulatedCluster, over: StreamDirectories): (() => void)[] {
  const backUp = (): void => over.backUp();
  return [
    backUp,
    backUp,
    () => {
      if (over.restore()) cluster.noteLoss();
    },
  ];
}
