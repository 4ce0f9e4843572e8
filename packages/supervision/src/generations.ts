/**
 * Bounds the pauses of minor garbage collections, and what waits for major ones.
 *
 * V8 puts new objects into one half of its young generation. Once that half is full, it copies what is still in use, in one turn. Where that is much, V8 doubles
 * the halves, up to 16 MiB each, and a copy takes tens of milliseconds. Here the halves grow to 4 MiB. With smaller ones, collections would come so often that
 * they copy what the requests under way use.
 *
 * One thread copies. Several that share the work have to be woken up for each millisecond of it, and wait for each other: where other processes want their
 * processors, too, all of it took half as much processor time again, and nine of ten collections took twice as long.
 *
 * After each major collection V8 lets the old generation grow until the next one, by as much as keeps the time of collections small, up to four times of what
 * is in use. Of a small heap that is little. With a million entries it is hundreds of megabytes, and the buffers of all that waits to be collected leave
 * holes elsewhere. So a heap that has grown beyond 64 MiB may grow by half only after the next collection, and so on until less than 32 MiB are in use after one.
 *
 * Loading a program is one long turn, in which nobody is asked: its first module holds the young generation as it is.
 */
import { constants, PerformanceObserver, type PerformanceEntry } from "node:perf_hooks";
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from "node:v8";

/** The capacity from which a half does not grow any more, in bytes: less than that of one of 4 MiB, whose pages have headers. */
const BYTES_MAX = 3.5 * 1024 * 1024;

/** A heap of more bytes, garbage included, is a large one, until a major collection leaves fewer than the second. It grows by so many percent between two of these. */
const LARGE_BYTES = 64 * 1024 * 1024;
const SMALL_BYTES = 32 * 1024 * 1024;
const LARGE_GROWS_BY = 50;

/** Bounds both generations of this process. Returns a function that ends this. */
export function boundGenerations(): () => void {
  setFlagsFromString("--no-parallel-scavenge");
  const boundYoung = youngBound();
  const boundOld = oldBound();
  boundYoung();
  const observer = new PerformanceObserver((list) => {
    // V8 shrinks the halves of a process that does little. Then they may grow again.
    boundYoung();
    boundOld(list.getEntries().some(isMajor));
  });
  observer.observe({ entryTypes: ["gc"] });
  return () => observer.disconnect();
}

/** Returns what is to be called after each collection. */
function youngBound(): () => void {
  let mayGrow: boolean | undefined;
  return () => {
    const isSmall = youngBytes() < BYTES_MAX;
    if (isSmall === mayGrow) return;
    mayGrow = isSmall;
    // V8 reads this flag whenever it could grow.
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`);
  };
}

/** Returns what is to be called after each collection, and told whether it was a major one. */
function oldBound(): (isMajor: boolean) => void {
  let isLarge = false;
  return (wasMajor) => {
    const bytes = getHeapStatistics().used_heap_size;
    const goesOn = isLarge && !(wasMajor && bytes < SMALL_BYTES);
    const isLargeNow = goesOn || bytes > LARGE_BYTES;
    if (isLargeNow === isLarge) return;
    isLarge = isLargeNow;
    // V8 reads this flag at the end of each major collection; 0 is its own measure.
    setFlagsFromString(`--heap-growing-percent=${isLarge ? LARGE_GROWS_BY : 0}`);
  };
}

/** The capacity of the half that new objects are put into. */
function youngBytes(): number {
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  return young === undefined ? 0 : young.space_used_size + young.space_available_size;
}

function isMajor(entry: PerformanceEntry): boolean {
  // The types of Node.js do not know what it tells of a collection.
  const { detail } = entry as { readonly detail?: { readonly kind?: number } };
  return detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
