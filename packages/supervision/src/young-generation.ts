/**
 * Bounds the pauses of minor garbage collections.
 *
 * V8 puts new objects into one half of its young generation. Once that half is full, it copies what is still in use, in one turn. Where that is much, V8 doubles
 * the halves, up to 16 MiB each, and a copy takes tens of milliseconds. Here the halves grow to 4 MiB. With smaller ones, collections would come so often that
 * they copy what the requests under way use.
 *
 * One thread copies. Several that share the work have to be woken up for each millisecond of it, and wait for each other: where other processes want their
 * processors, too, all of it took half as much processor time again, and nine of ten collections took twice as long.
 *
 * Loading a program is one long turn, in which nobody is asked: its first module holds the young generation as it is.
 */
import { PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** The capacity from which a half does not grow any more, in bytes: less than that of one of 4 MiB, whose pages have headers. */
const BYTES_MAX = 3.5 * 1024 * 1024;

/** Lets the young generation of this process grow to 4 MiB a half, and has one thread collect it. Returns a function that ends the watch over its size. */
export function boundYoungGeneration(): () => void {
  setFlagsFromString("--no-parallel-scavenge");
  let mayGrow: boolean | undefined;
  const look = (): void => {
    const isSmall = youngBytes() < BYTES_MAX;
    if (isSmall === mayGrow) return;
    mayGrow = isSmall;
    // V8 reads this flag whenever it could grow.
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`);
  };
  look();
  // V8 shrinks the halves of a process that does little. Then they may grow again.
  const observer = new PerformanceObserver(look);
  observer.observe({ entryTypes: ["gc"] });
  return () => observer.disconnect();
}

/** The capacity of the half that new objects are put into. */
function youngBytes(): number {
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  return young === undefined ? 0 : young.space_used_size + young.space_available_size;
}
