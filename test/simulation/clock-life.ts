/**
 * A simulation in which the clocks of a minority of the machines, directories included, are wrong by hours or decades, and values have a
 * time to live. Stores empty expired values as soon as the time is confirmed.
 */
import { NO_BYTES, type Entry } from "@meridian/protocol";

import { checkCursors } from "./checks.ts";
import { write } from "./clients.ts";
import { SimulatedCluster, type SimulatedNode } from "./cluster.ts";
import { machineFaults, scheduleFaults, slowDisks } from "./faults.ts";
import { checkConverged, heal } from "./healing.ts";
import { drawNetwork } from "./network.ts";
import type { ClusterParts } from "./parts.ts";
import type { Outcome } from "./scenario.ts";
import { ServedReads } from "./served-reads.ts";
import { scheduleSessions } from "./sessions.ts";
import { scheduleStrangers } from "./strangers.ts";
import { drawNats } from "./stream/nats.ts";
import { STREAM_FAULT_EVERY_MS, streamFaults } from "./stream/stream-faults.ts";
import { START_MS, STREAM_REACTIONS, World } from "./world.ts";

const FAULTS_MS = 15_000;
const WATCH_EVERY_MS = 100;
const HOUR_MS = 3_600_000;
/** Expired values are emptied so long after their expiry, which covers the differences between right clocks, and message delays. In milliseconds. */
const GRACE_MS = 2_000;
/** Clocks that are off by less, in milliseconds, may agree with right ones, so they do not count as wrong. */
const AGREEING_MS = 12_000;
/** How far a confirmed time may be wrong, in milliseconds. */
const CONFIRMED_WITHIN_MS = 2_000;

/** A value that was written while the node's time was right: it must live until its expiry, in true time. */
interface Promised {
  readonly entry: Entry;
  readonly endsAtMs: number;
}

/** Limits for simulations with strangers: nodes become members soon, but later than the lease of a node that is gone can last. */
const CROWDED = { establishMs: 2_500, newcomerMs: 3_000 } as const;
/** From this generation on a node is no newcomer any more. */
const ESTABLISHED = 3;

/** Draws how far a clock is wrong, and sets clocks wrong. */
interface WrongClocks {
  readonly draw: () => number;
  readonly faults: readonly (() => void)[];
}

/** Runs the simulation of `seed`. */
export async function liveByWrongClocks(
  seed: number,
  parts: ClusterParts,
  directories: number,
  isOverStream: boolean = false,
): Promise<Outcome> {
  const world = new World(seed);
  if (isOverStream) world.reactions = STREAM_REACTIONS;
  const network = drawNetwork(world, world.chance(0.3), 20_000);
  const nodes = 3 + world.below(3);
  const size = { nodes, directories, ...(isOverStream && { nats: drawNats(world) }) };
  // If messages overtake each other, no link lasts for long.
  const isCrowded = seed % 3 === 0 && !network.reorder && parts.directoryLimits === undefined;
  const crowded = isCrowded ? { ...parts, directoryLimits: CROWDED } : parts;
  const cluster = new SimulatedCluster(world, size, network, crowded);
  slowDisks(cluster, seed);
  for (const directory of cluster.directories) cluster.startDirectory(directory);
  for (const node of cluster.nodes) {
    node.machine.skewMs = world.between(-50, 50);
    cluster.startNode(node);
  }
  const violations = new Set<string>();
  const reads = new ServedReads(cluster, 2 * CONFIRMED_WITHIN_MS);
  watch(cluster, reads, violations);
  const promised = new Map<string, Promised>();
  scheduleSessions(cluster, work(cluster, promised, reads), FAULTS_MS);
  // All nodes must be members before a clock is set wrong.
  await world.run(3_000);
  const startsByMs = isCrowded ? FAULTS_MS / 2 : 0;
  while (world.nowMs < startsByMs && !areEstablished(cluster)) await world.run(world.nowMs + 500);
  const wrong = wrongClocks(cluster);
  if (isCrowded) scheduleStrangers(cluster, FAULTS_MS, wrong.draw);
  const { over } = cluster;
  const faults = [...wrong.faults, ...machineFaults(cluster)];
  if (over === undefined) scheduleFaults(cluster, FAULTS_MS, faults);
  else {
    const all = [...faults, ...streamFaults(cluster, over)];
    scheduleFaults(cluster, FAULTS_MS, all, STREAM_FAULT_EVERY_MS);
  }
  await world.run(FAULTS_MS);
  await heal(cluster);
  await world.run(world.nowMs + 4_000 + (isCrowded ? CROWDED.newcomerMs : 0));
  for (const directory of cluster.directories) {
    // One that serves beside the writer compares no clocks.
    if (over !== undefined && !over.isWriter(directory)) continue;
    const { host, process } = directory;
    const info = process?.machine.info().clocks;
    if (info?.confirmed !== true) {
      violations.add(`${host}: confirms no time, although most are right: ${JSON.stringify(info)}`);
    }
  }
  for (const each of checkConverged(cluster)) violations.add(each);
  for (const each of cluster.auditor.violations) violations.add(each);
  for (const each of checkAlive(cluster, promised)) violations.add(each);
  for (const each of checkCursors(cluster)) violations.add(each);
  const { acknowledged } = cluster;
  const { asked, reached } = cluster.auditor;
  return {
    violations: [...violations],
    acknowledged: acknowledged.length,
    asked,
    reached,
    quarantined: 0,
    events: world.events,
  };
}

/** Chooses the machines whose clocks are wrong now and then: always the same ones, fewer than half, with a directory more often than not. */
function wrongClocks(cluster: SimulatedCluster): WrongClocks {
  const { world, nodes, directories } = cluster;
  const machines = [...directories, ...nodes].map(({ machine }) => machine);
  const wrong = machines.slice(0, Math.ceil(machines.length / 2) - 1);
  const astray = (reachMs: number): number => {
    const offMs = world.between(-reachMs, reachMs);
    return offMs + Math.sign(offMs) * AGREEING_MS;
  };
  // Several wrong clocks may agree with each other, and must not be believed for that.
  const alikeMs = astray(HOUR_MS);
  const draw = (): number =>
    world.pick([0, alikeMs, alikeMs, astray(HOUR_MS), astray(300 * 365 * 24 * HOUR_MS)]);
  const set = (): void => {
    world.pick(wrong).skewMs = draw();
  };
  return { draw, faults: Array.from({ length: 9 }, () => set) };
}

/** Whether no node is a newcomer at any directory any more. */
function areEstablished({ directories, nodes }: SimulatedCluster): boolean {
  return directories.every(({ disk }) =>
    nodes.every(({ id }) => (disk.members.get(id)?.generation ?? 0) >= ESTABLISHED),
  );
}

/** Makes clients write values with a time to live. Returns the keys. */
function work(
  cluster: SimulatedCluster,
  promised: Map<string, Promised>,
  reads: ServedReads,
): readonly string[] {
  const { world, nodes } = cluster;
  const keys = Array.from({ length: 5 + world.below(40) }, (_, index) => `key-${index}`);
  let count = 0;
  const put = (): void => {
    if (world.nowMs > FAULTS_MS) return;
    const [node, key] = [world.pick(nodes), world.pick(keys)];
    const ttlMs = world.chance(0.5) ? world.between(1, 5_000) : world.between(30_000, 300_000);
    const wasRight = isNearby(node, world);
    const askedMs = world.nowMs;
    count += 1;
    write(cluster, node, [{ key, value: `value-${count}`, ttlMs }], ([entry]) => {
      if (entry === undefined) return;
      // A write that waits is stamped by the clock as it is then.
      const isRight = wasRight && isNearby(node, world);
      if (isRight) reads.written(cluster.names.nameOf(entry.stamp), askedMs, ttlMs);
      const endsAtMs = isRight ? entry.expiresAtMs - START_MS - 2 * CONFIRMED_WITHIN_MS : 0;
      promised.set(cluster.names.nameOf(entry.stamp), { entry, endsAtMs });
    });
    world.schedule(world.between(20, 150), put);
  };
  put();
  return keys;
}

function isNearby({ process }: SimulatedNode, { nowMs }: World): boolean {
  const offMs = (process?.replica.nowMs() ?? Infinity) - START_MS - nowMs;
  return Math.abs(offMs) <= CONFIRMED_WITHIN_MS;
}

/** Reads everything, lets all stores empty what they consider expired, and compares that with the true time. */
function watch(cluster: SimulatedCluster, reads: ServedReads, violations: Set<string>): void {
  const { world } = cluster;
  const trueMs = START_MS + world.nowMs;
  for (const node of cluster.nodes) {
    const confirmedMs = node.process?.replica.confirmedNowMs;
    if (confirmedMs === undefined) continue;
    const offMs = Math.round(confirmedMs - trueMs);
    if (Math.abs(offMs) > CONFIRMED_WITHIN_MS) {
      violations.add(`${node.id}: confirms a time that is off by ${offMs} ms`);
    }
    for (const each of reads.check(node)) violations.add(each);
    // A node serves by its own clock while that is within the bound of the cluster's time.
    const servedOffMs = Math.round((node.process?.replica.nowMs() ?? trueMs) - trueMs);
    if (Math.abs(servedOffMs) > 10_000 + CONFIRMED_WITHIN_MS) {
      violations.add(`${node.id}: serves by a time that is off by ${servedOffMs} ms`);
    }
    for (const [key, entry] of node.disk.entries) {
      const emptied = emptiedAt(entry, confirmedMs - GRACE_MS);
      if (emptied === undefined) continue;
      if (entry.expiresAtMs > trueMs)
        violations.add(`${node.id}: ${key} is emptied while it lives`);
      node.disk.entries.set(key, emptied);
    }
  }
  for (const { disk, process, host } of cluster.directories) {
    const confirmedMs = process?.machine.clocks.confirmedNowMs;
    if (confirmedMs === undefined) continue;
    for (const [key, logged] of disk.entries) {
      const emptied = emptiedAt(logged.entry, confirmedMs - GRACE_MS);
      if (emptied === undefined) continue;
      if (logged.entry.expiresAtMs > trueMs) {
        violations.add(`${host}: ${key} is emptied while it lives`);
      }
      disk.entries.set(key, { ...logged, entry: emptied });
    }
  }
  world.schedule(WATCH_EVERY_MS, () => watch(cluster, reads, violations));
}

/** The entry without its value, if it had expired by then and has one. */
function emptiedAt(entry: Entry, byMs: number): Entry | undefined {
  if (entry.deleted || entry.expiresAtMs === 0 || entry.expiresAtMs > byMs) return undefined;
  return { ...entry, value: NO_BYTES, contentType: "", deleted: true };
}

/** Checks that a value that has not expired by the true time is live on every node. */
function checkAlive(cluster: SimulatedCluster, promised: ReadonlyMap<string, Promised>): string[] {
  const violations: string[] = [];
  const { names, world, nodes } = cluster;
  for (const [name, { entry, endsAtMs }] of promised) {
    if (endsAtMs <= world.nowMs) continue;
    for (const { id, process } of nodes) {
      const held = process?.store.get(entry.key);
      if (held === undefined) violations.push(`${id}: ${entry.key} at ${name} is lost`);
      else if (names.nameOf(held.stamp) !== name) continue;
      else if (held.deleted) violations.push(`${id}: ${entry.key} at ${name} is emptied`);
      else if (held.expiresAtMs <= START_MS + world.nowMs) {
        violations.push(`${id}: ${entry.key} at ${name} has expired too soon`);
      }
    }
  }
  return violations;
}
