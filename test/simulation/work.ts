import { write, type ClientWrite } from "./clients.ts";
import type { SimulatedCluster } from "./cluster.ts";

/** How many writes go in one batch now and then, and how likely one demands what does not hold. */
const BATCH_MAX = 4;
const REFUSED = 0.03;

/** What is written in a simulation. */
export interface Work {
  readonly untilMs: number;
  /** Among how many keys. */
  readonly size: number;
  /** How likely a write is to be a delete, and how likely to expire. */
  readonly ends: number;
  /** Whether some of what expires outlives the simulation: it must not be forgotten, however old it is. */
  readonly outlives?: boolean;
}

const OUTLIVING_MS = 2 * 3_600_000;

/** Has clients write at random. Returns the keys. */
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
