/**
 * What the kernel has charged to processes, read from `/proc`: processor time of all threads, those that have ended included, and
 * resident memory. A server may have children, such as the workers of nginx: they count, too.
 */
import { readdirSync, readFileSync } from "node:fs";

import { until } from "@meridian/local-cluster";

/** The kernel counts processor time in hundredths of a second. */
const TICK_MS = 10;

/** The processor time of `/proc/<pid>/stat`, in milliseconds, with that of children which have ended. */
export function parseCpuMs(stat: string): number {
  // The name of the program, in parentheses, may contain spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system, ofChildren, systemOfChildren] = fields.slice(11, 15).map(Number);
  const ticks = (user ?? NaN) + (system ?? NaN) + (ofChildren ?? NaN) + (systemOfChildren ?? NaN);
  if (Number.isNaN(ticks)) throw new Error(`Expected the fields of a process, got \`${stat}\``);
  return ticks * TICK_MS;
}

/** The processor time of one thread that lives, in milliseconds, of `/proc/<pid>/task/<thread>/schedstat`: exact, where the kernel counts it. */
export function parseThreadMs(schedstat: string): number {
  return Number(schedstat.split(" ", 1)[0]) / 1e6 || 0;
}

/** The processor time of the threads of a process that live, in milliseconds. */
function threadsMs(pid: number): number {
  let threads: readonly string[] = [];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    // It has ended.
  }
  const each = threads.map((thread) =>
    parseThreadMs(read(`/proc/${pid}/task/${thread}/schedstat`)),
  );
  return each.reduce((sum, ms) => sum + ms, 0);
}

/** The resident memory of `/proc/<pid>/status`, in bytes; 0 for a process that has ended. */
export function parseResidentBytes(status: string): number {
  return 1024 * Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? 0);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** The processes, and all that descend from them. */
export function withDescendants(pids: readonly number[]): readonly number[] {
  return pids.flatMap((pid) => {
    const children = read(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean);
    return [pid, ...withDescendants(children.map(Number))];
  });
}

/** The processor time of servers so far, in milliseconds. Throws if one of them has ended. */
export function cpuMs(pids: readonly number[]): number {
  let total = 0;
  for (const pid of withDescendants(pids)) {
    const stat = read(`/proc/${pid}/stat`);
    // The first one cuts off what is less than a hundredth of a second, the second one lacks the threads and children that have ended.
    if (stat !== "") total += Math.max(parseCpuMs(stat), threadsMs(pid));
    else if (pids.includes(pid)) throw new Error(`Expected process ${pid} to run, it has ended`);
  }
  return total;
}

/** The resident memory of servers, in bytes. */
export function residentBytes(pids: readonly number[]): number {
  const each = withDescendants(pids).map((pid) => parseResidentBytes(read(`/proc/${pid}/status`)));
  return each.reduce((sum, bytes) => sum + bytes, 0);
}

const QUIET_WINDOW_MS = 100;
const QUIET_MS_MAX = 10_000;

/** Resolves once servers have used at most a tenth of a processor for a moment: work that they have put off is done then, and counts. */
export async function untilQuiet(pids: readonly number[]): Promise<void> {
  let atMs = performance.now();
  let usedMs = cpuMs(pids);
  const isQuiet = (): boolean => {
    const nowMs = performance.now();
    if (nowMs - atMs < QUIET_WINDOW_MS) return false;
    const used = cpuMs(pids) - usedMs;
    const share = used / (nowMs - atMs);
    [atMs, usedMs] = [nowMs, usedMs + used];
    return share <= 0.1;
  };
  await until("the servers have nothing left to do", isQuiet, QUIET_MS_MAX);
}
