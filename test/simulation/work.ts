import type { SimulatedCluster } from "./cluster.ts";

/** What is written in a simulation. */
export interface Work {
  readonly untilMs: number;
  /** Among how many keys. */
  readonly size: number;
  /** How likely a write is to be a delete, and how likely to expire. */
  readonly ends: number;
}

/** Has clients write at random. Returns the keys. */
export function scheduleWork(cluster: SimulatedCluster, { untilMs, size, ends }: Work): string[] {
  const { world, nodes } = cluster;
  const keys = Array.from({ length: size }, (_, index) => `key-${index}`);
  const everyMs = world.between(15, 120);
  let count = 0;
  const work = (): void => {
    if (world.nowMs > untilMs) return;
    for (let burst = world.below(4); burst >= 0; burst -= 1) {
      count += 1;
      const value = world.chance(ends) ? undefined : `value-${count}`.padEnd(world.below(200));
      const ttlMs = world.chance(ends) ? world.between(1, 5_000) : 0;
      cluster.write(world.pick(nodes), world.pick(keys), value, ttlMs);
    }
    world.schedule(world.between(0, 2 * everyMs), work);
  };
  work();
  return keys;
}
