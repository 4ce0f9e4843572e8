import { readFileSync } from "node:fs";

import type { Logger } from "@meridian/runtime";

/** File descriptors that are kept for everything but connections. */
const RESERVED = 128;

/** How many connections a server may take that is asked to take `wanted`: no more than it can have files open. */
export function connectionsMaxOf(wanted: number, logger: Logger): number {
  const possible = filesMax() - RESERVED;
  if (wanted <= possible) return wanted;
  const max = Math.max(1, possible);
  logger.warn("this process may have too few files open for all connections", { wanted, max });
  return max;
}

/** How many files this process may have open; no bound where the system does not tell. */
function filesMax(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? Infinity : Number(soft);
  } catch {
    return Infinity;
  }
}
