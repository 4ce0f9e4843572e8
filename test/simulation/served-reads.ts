/** Checks what reads give: no value that is over, and each that is not. */
import { isLive } from "@meridian/protocol";

import type { SimulatedCluster, SimulatedNode } from "./cluster.ts";

/** When a value ends, in true time: as its client has asked for, at the earliest and at the latest. */
interface End {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The values whose ends are known, because the time of the node that took them was right. */
export class ServedReads {
  readonly #cluster: SimulatedCluster;
  /** By how much a value may be served too long or hidden too soon, in milliseconds: the errors of the clocks of its writer and of its reader. */
  readonly #withinMs: number;
  readonly #ends = new Map<string, End>();
  /** How often a value was served, and how often one was hidden that had ended. */
  served = 0;
  hidden = 0;

  constructor(cluster: SimulatedCluster, withinMs: number) {
    this.#cluster = cluster;
    this.#withinMs = withinMs;
  }

  /** A client has written the value `name`, which lives for `ttlMs` from some moment after `askedMs` on, in true time. */
  written(name: string, askedMs: number, ttlMs: number): void {
    this.#ends.set(name, { fromMs: askedMs + ttlMs, toMs: this.#cluster.world.nowMs + ttlMs });
  }

  /** Reads every key at a node whose time is confirmed. Returns what is wrong. */
  check({ id, disk, process }: SimulatedNode): readonly string[] {
    const status = process?.replica.status;
    const isServing = status === "ready" || status === "standalone" || status === "full";
    if (process === undefined || !isServing) return [];
    const { replica } = process;
    const { names, world } = this.#cluster;
    const violations: string[] = [];
    const nowMs = replica.nowMs();
    for (const key of disk.entries.keys()) {
      const entry = replica.get(key);
      const name = entry && names.nameOf(entry.stamp);
      const end = name === undefined ? undefined : this.#ends.get(name);
      if (entry === undefined || end === undefined) continue;
      const isServed = isLive(entry, nowMs);
      const lateMs = Math.round(world.nowMs - end.toMs);
      const earlyMs = Math.round(end.fromMs - world.nowMs);
      if (isServed) this.served += 1;
      else this.hidden += 1;
      if (isServed && lateMs > this.#withinMs) {
        violations.push(`${id}: serves ${key} at ${name} ${lateMs} ms after its end`);
      } else if (!isServed && earlyMs > this.#withinMs) {
        violations.push(`${id}: hides ${key} at ${name} ${earlyMs} ms before its end`);
      }
    }
    return violations;
  }
}
