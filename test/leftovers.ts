/**
 * Fails a file of tests that leaves something behind: a process runs many files, and what one leaves, another would notice. Counts
 * what keeps the event loop alive (servers, child processes, timers) before and after the file, and asks of
 * each temporary folder that the file made whether it is gone. Flags of V8 must be what they were: with others, it takes no code cache of another process.
 */
import fs, { existsSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { setTimeout as wait } from "node:timers/promises";
import { cachedDataVersionTag } from "node:v8";

import { afterAll } from "vitest";

/** What is closed in the last hook of a file may take so long to be gone, in turns of so many milliseconds. */
const TURNS = 100;
const TURN_MS = 50;
/** Requests of the runtime, and connections of a pool, that end by themselves. */
const PASSING: ReadonlySet<string> = new Set([
  "FSReqCallback",
  "FSReqPromise",
  "Immediate",
  "TCPSocketWrap",
]);

/** How many resources of each kind keep the event loop alive. */
function resources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (!PASSING.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

const folders = new Set<string>();
const { mkdtempSync } = fs;
fs.mkdtempSync = ((...args: Parameters<typeof mkdtempSync>) => {
  const folder = mkdtempSync(...args);
  folders.add(String(folder));
  return folder;
}) as typeof mkdtempSync;
syncBuiltinESMExports();

const before = resources();
const flagsBefore = cachedDataVersionTag();

function leftovers(): string[] {
  const left = [...folders].filter((folder) => existsSync(folder));
  for (const [kind, count] of resources()) {
    const more = count - (before.get(kind) ?? 0);
    if (more > 0) left.push(`${more} × ${kind}`);
  }
  if (cachedDataVersionTag() !== flagsBefore) left.push("other flags of V8");
  return left;
}

// Hooks run in reverse order, so this one is the last of each file.
afterAll(async () => {
  fs.mkdtempSync = mkdtempSync;
  syncBuiltinESMExports();
  for (let turn = 0; turn < TURNS && leftovers().length > 0; turn += 1) await wait(TURN_MS);
  const left = leftovers();
  if (left.length > 0) throw new Error(`The file leaves behind: ${left.join(", ")}`);
});
