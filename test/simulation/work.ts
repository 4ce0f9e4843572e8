import { write, type ClientWrite } from "./clients.ts";
import type { SimulatedCluster } from "./cluster.ts";

/** How many writes a batch has at most, and how likely a write has a condition that does not hold. */
const BATCH_MAX = 4;
const REFUSED = 0.03;

/** The writes of a simulation. */
export interface Work {
  readonly untilMs: number;
  /** How many keys there are. */
  readonly size: number;
  /** The probability that a write is a delete; a write has a TTL with the same probability. */
  readonly ends: number;
  /** Whether some TTLs are longer than the simulation: their entries must stay, however old their stamps are. */
  readonly outlives?: boolean;
}

const OUTLIVING_MS = 2 * 3_600_000;

/** Schedules random writes of clients until `untilMs`. Returns the keys. */
export function scheduleWork(
  cluster: SimulatedCluster,
  { untilMs, size, ends, outlives = false }: Work,
): string[] {
  const { world, nodes } = cluster;
  const keys = Array.from({ length: size }, (_, index) => `key-${index}`);
  const everyMs = world.between(15, 120);
  let count = 0;
  const draw = (): ClientWrite => {
    count += 1;
    const value = world.chance(ends) ? undefined : `value-${count}`.padEnd(world.below(200));
    const shortMs = world.chance(ends) ? world.between(1, 5_000) : 0;
    const ttlMs = outlives && count % 3 === 0 ? OUTLIVING_MS : shortMs;
    const isRefused = world.chance(REFUSED);
    return { key: world.pick(keys), value, ttlMs, isRefused };
  };
  const work = (): void => {
    if (world.nowMs > untilMs) return;
    for (let burst = world.below(4); burst >= 0; burst -= 1) {
      const size = world.chance(0.1) ? 1 + world.below(BATCH_MAX) : 1;
      write(cluster, world.pick(nodes), Array.from({ length: size }, draw));
    }
    world.schedule(world.between(0, 2 * everyMs), work);
  };
  work();
  return keys;
}
