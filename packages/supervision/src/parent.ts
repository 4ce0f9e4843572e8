import type { Clock } from "@meridian/runtime";

import { outliveOutput } from "./output.ts";

/**
 * Makes this process end when the one that started it with an IPC channel is gone, however that ended: first as
 * by SIGTERM, and `graceMs` later in any case. From now on, output that nobody reads any more is dropped instead of
 * being fatal. Does nothing in a process without an IPC channel. Never keeps the process alive.
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
