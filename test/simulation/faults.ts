/** The faults of simulations. */
import { BOUNDS, SMALL_DIRECTORY_SIZES, SMALL_NODE_SIZES } from "./bounds.ts";
import type { SimulatedCluster, SimulatedDirectory, SimulatedNode } from "./cluster.ts";
import type { CutWays } from "./network.ts";

/** The longest commit of nodes in one cluster of four, and of directories in one of three, in milliseconds. */
const SLOW_COMMIT_MS = 40;
const SLOW_LOG_MS = 300;

/** Whether a circumstance that holds for one seed in nine holds for `seed`. It is drawn from the seed alone, so that a new circumstance does not change the course of other seeds. */
function isDrawn(seed: number, rest: number): boolean {
  return seed % 9 === rest;
}

/** Gives some clusters slow disks, so that frames which a directory has forwarded and not committed are lost more often. */
export function slowDisks(cluster: SimulatedCluster, seed: number): void {
  if (seed % 4 === 3) cluster.commitMs = cluster.logCommitMs = SLOW_COMMIT_MS;
  if (seed % 3 === 1) cluster.logCommitMs = SLOW_LOG_MS;
}

/** Whether clients ask for all levels of acknowledgement in a life beyond the horizon. */
export function asksOthers(seed: number): boolean {
  return [0, 3, 4, 5, 7].some((rest) => isDrawn(seed, rest));
}

/** With small limits, how many bytes of entries and outbox the disk of one node takes; and how often that is checked, in milliseconds. */
const SMALL_DISK_BYTES = 5_000;
const LOOK_EVERY_MS = 100;

/**
 * Gives some clusters limits that are reached all the time: of frames that wait for a log, members, windows, waiters, what is
 * remembered and compared, and the disk of one node. In half of these clusters, directories are lost together with entries that no other directory has followed.
 */
export function smallLimits(cluster: SimulatedCluster, seed: number): void {
  if (!isDrawn(seed, 4) && !isDrawn(seed, 7)) return;
  const { nodes, frameBytes } = cluster;
  const bytesMax = frameBytes + BOUNDS.readBytes + BOUNDS.windowBytes;
  cluster.losesOnlyCopies = isDrawn(seed, 7);
  cluster.nodeLimits = { windowBytes: BOUNDS.windowBytes / 4, waitersMax: 2, ...SMALL_NODE_SIZES };
  cluster.waitsLate = true;
  cluster.directoryLimits = {
    // The largest frame must fit.
    commitBytesMax: bytesMax,
    nodeBytesMax: bytesMax,
    watchedMax: 2,
    membersMax: nodes.length,
    presentMax: nodes.length,
    ...SMALL_DIRECTORY_SIZES,
  };
  const [node] = nodes;
  if (node !== undefined) boundDisk(cluster, node);
}

/** Refuses new entries on the disk of a node while the disk holds more than `SMALL_DISK_BYTES`. */
function boundDisk(cluster: SimulatedCluster, node: SimulatedNode): void {
  if (cluster.isMended) return;
  if (node.process !== undefined) {
    const { store } = node.process;
    // Commits that have waited since the last check succeed or fail now.
    store.full = false;
    if (bytesOf(node.disk) > SMALL_DISK_BYTES) store.full = "entries";
  }
  cluster.world.schedule(LOOK_EVERY_MS, () => boundDisk(cluster, node));
}

function bytesOf({ entries, outbox }: SimulatedNode["disk"]): number {
  let bytes = 0;
  for (const { key, value } of entries.values()) bytes += key.length + value.byteLength;
  for (const { block } of outbox) bytes += block.byteLength;
  return bytes;
}

/** Schedules faults at random times until `untilMs`, one each time that a time has passed on average that is drawn from the given ones. */
export function scheduleFaults(
  cluster: SimulatedCluster,
  untilMs: number,
  faults: readonly (() => void)[],
  [leastMs, mostMs]: readonly [number, number] = [300, 2_500],
): void {
  const { world, moreFaults } = cluster;
  const everyMs = world.between(leastMs, mostMs);
  const strike = (): void => {
    if (world.nowMs > untilMs) return;
    world.pick(moreFaults.length > 0 && world.chance(0.5) ? moreFaults : faults)();
    world.schedule(world.between(0, 2 * everyMs), strike);
  };
  world.schedule(world.between(0, 2 * everyMs), strike);
}

/** All faults. */
export function allFaults(cluster: SimulatedCluster): (() => void)[] {
  // If a node is restored and the directory replaced at once, data may be lost rightly: no disk has them any more.
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
    pickDirectory(cluster).machine.skewMs = world.between(-3_600_000, 3_600_000);
  };
  return [restart, restart, restart, setDirectory];
}

/** The faults of machines and networks, without clocks and lost disks. */
export function machineFaults(cluster: SimulatedCluster): (() => void)[] {
  return commonFaults(cluster, false);
}

/** The same, and clocks that are set. */
export function astrayFaults(cluster: SimulatedCluster): (() => void)[] {
  return commonFaults(cluster, true);
}

function commonFaults(cluster: SimulatedCluster, setsClocks: boolean): (() => void)[] {
  const { world, nodes, network } = cluster;
  const later = (low: number, high: number, run: () => void): void =>
    world.schedule(world.between(low, high), run);
  const restart = (node: SimulatedNode): void => {
    cluster.killNode(node);
    later(0, 4_000, () => cluster.startNode(node));
  };
  const endNode = (node: SimulatedNode): void => {
    const replica = node.process?.replica;
    void replica?.stop().then(() => {
      // Another fault may have ended this process meanwhile.
      if (node.process?.replica === replica) restart(node);
    });
  };
  const cut = (host: string, ways?: CutWays): void => {
    network.cut(host, ways);
    later(50, 5_000, () => network.heal(host));
  };
  const setNode = (): void => {
    world.pick(nodes).machine.skewMs = world.between(-3_600_000, 3_600_000);
  };
  // The node uses its own wrong clock until it has heard a directory.
  const restartAstray = (): void => {
    const node = world.pick(nodes);
    cluster.killNode(node);
    cut(node.id);
    node.machine.skewMs = world.between(-3_600_000, 3_600_000);
    later(0, 500, () => cluster.startNode(node));
  };
  const setDirectory = (): void => {
    pickDirectory(cluster).machine.skewMs = world.between(-3_600_000, 3_600_000);
  };
  return [
    () => restart(world.pick(nodes)),
    () => restart(world.pick(nodes)),
    () => cut(world.pick(nodes).id),
    () => cut(world.pick(nodes).id),
    () => cut(world.pick(nodes).id, world.pick(["in", "out"])),
    () => network.breakLinks(world.pick(nodes).id),
    () => cut(pickDirectory(cluster).host),
    () => {
      const directory = pickDirectory(cluster);
      cluster.killDirectory(directory);
      later(0, 3_000, () => cluster.startDirectory(directory));
    },
    ...(cluster.directories.length > 1 ? cutsBetween(cluster) : []),
    ...(setsClocks ? [setNode, setDirectory, restartAstray] : []),
    () => endNode(world.pick(nodes)),
    () => {
      const directory = pickDirectory(cluster);
      directory.process?.machine.stop();
      cluster.killDirectory(directory);
      later(0, 3_000, () => cluster.startDirectory(directory));
    },
    () => cluster.killWithin(world.pick(nodes).id, 1 + world.below(30)),
    () => cluster.killWithin(pickDirectory(cluster).host, 1 + world.below(60)),
    () => {
      const { process } = world.pick(nodes);
      if (process === undefined) return;
      process.store.full = world.pick([true, "entries"]);
      later(50, 1_500, () => {
        process.store.full = false;
      });
    },
  ];
}

/** Cuts two hosts from each other, but not from the others: two directories, or a node and a directory. */
function cutsBetween(cluster: SimulatedCluster): (() => void)[] {
  const { world, nodes, network, directories } = cluster;
  const cut = (host: string, other: string): void => {
    network.cutBetween(host, other);
    world.schedule(world.between(50, 5_000), () => network.healBetween(host, other));
  };
  const cutPeers = (): void => cut(...pickTwo(cluster));
  const cutNode = (): void => cut(world.pick(nodes).id, world.pick(directories).host);
  return [cutPeers, cutPeers, cutNode, cutNode];
}

/** The hosts of two directories. */
function pickTwo({ world, directories }: SimulatedCluster): [string, string] {
  const index = world.below(directories.length);
  const next = directories[(index + 1) % directories.length];
  return [directories[index]?.host ?? "", next?.host ?? ""];
}

/** Picks a directory. If there is only one, draws no random number, so that seeds keep their course. */
function pickDirectory({ world, directories, directory }: SimulatedCluster): SimulatedDirectory {
  return directories.length === 1 ? directory : world.pick(directories);
}

/** Disks of nodes are put back from backups. */
export function nodeLoss(cluster: SimulatedCluster): (() => void)[] {
  const { world, nodes } = cluster;
  return [
    () => cluster.backUpNode(world.pick(nodes)),
    () => {
      const node = world.pick(nodes);
      cluster.restoreNode(node);
      world.schedule(world.between(0, 2_000), () => cluster.startNode(node));
    },
    // Only the other nodes then have the frames that the directory had forwarded and not committed.
    () => {
      const node = world.pick(nodes);
      const directory = pickDirectory(cluster);
      cluster.killDirectory(directory);
      cluster.restoreNode(node);
      world.schedule(world.between(0, 2_000), () => cluster.startNode(node));
      world.schedule(world.between(0, 2_000), () => cluster.startDirectory(directory));
    },
  ];
}

function logLoss(cluster: SimulatedCluster): (() => void)[] {
  const { world } = cluster;
  const comeBack = (directory: SimulatedDirectory): void =>
    world.schedule(world.between(0, 2_000), () => cluster.startDirectory(directory));
  return [
    () => cluster.backUpDirectory(pickDirectory(cluster)),
    () => {
      const directory = pickDirectory(cluster);
      cluster.restoreDirectory(directory);
      comeBack(directory);
    },
    () => {
      if (!world.chance(0.3)) return;
      const directory = pickDirectory(cluster);
      cluster.replaceDirectory(directory);
      comeBack(directory);
    },
    ...(cluster.losesOnlyCopies && cluster.directories.length > 1 ? [lossOfOnlyCopy(cluster)] : []),
  ];
}

/** A directory is lost together with entries that the others have not followed: only its nodes, which go to another directory, have them. */
export function lossOfOnlyCopy(cluster: SimulatedCluster): () => void {
  const { world, network, directories } = cluster;
  return () => {
    const directory = world.pick(directories);
    const others = directories.filter((other) => other !== directory);
    for (const { host } of others) network.cutBetween(directory.host, host);
    world.schedule(world.between(50, 500), () => {
      cluster.replaceDirectory(directory);
      for (const { host } of others) network.healBetween(directory.host, host);
      world.schedule(world.between(0, 2_000), () => cluster.startDirectory(directory));
    });
  };
}

/** In some clusters the clock of one machine is wrong by up to an hour: behind for the first node, in either direction for the first directory. */
export function wrongClock(cluster: SimulatedCluster, seed: number): () => void {
  const { world, nodes, directory } = cluster;
  if (!isDrawn(seed, 0) && !isDrawn(seed, 4)) return () => {};
  const [node = directory] = nodes;
  const isNodes = seed % 2 === 0;
  return () => {
    // A node that is ahead would write values that live for an hour too long, unless a majority confirms the time just then.
    const offMs = world.between(-3_600_000, isNodes ? 0 : 3_600_000);
    (isNodes ? node : directory).machine.skewMs = offMs;
  };
}

/** All faults but wrong clocks, and absences of nodes and directories for longer than tombstones are kept. */
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
  const splitLong = (): void => {
    const [host, other] = pickTwo(cluster);
    network.cutBetween(host, other);
    world.schedule(awayMs(), () => network.healBetween(host, other));
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
      const directory = pickDirectory(cluster);
      cluster.killDirectory(directory);
      world.schedule(awayMs() / 2, () => cluster.startDirectory(directory));
    },
    ...(cluster.directories.length > 1 ? [splitLong] : []),
  ];
}
