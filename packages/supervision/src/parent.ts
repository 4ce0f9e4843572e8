import type { Clock } from "@meridian/runtime";

import { outliveOutput } from "./output.ts";

/**
 * Ends this process when the parent that started it with an IPC channel has ended, however it ended: first as
 * by SIGTERM, and `graceMs` later at once. From now on, output that nobody reads is dropped instead of
 * ending the process. Does nothing in a process without an IPC channel. Never keeps the process alive.
 */
export function exitWhenParentDies(clock: Pick<Clock, "after">, graceMs = 10_000): void {
  if (process.channel === undefined || process.channel === null) return;
  outliveOutput();
  process.once("disconnect", () => {
    clock.after(graceMs, () => process.exit(1));
    process.kill(process.pid, "SIGTERM");
  });
  // Listening for the end counts as a use of the channel, which would keep this process alive.
  process.channel.unref();
}
