/**
 * Loaded into every program before its own code: ends it when the parent is gone while it still starts, however that
 * came about. Once it has started, the program listens for that itself, and stops in order.
 */
const GRACE_MS = 5_000;

if (process.connected) process.once("disconnect", end);
else end();

// Listening must not keep a program alive that has come to its end.
process.channel?.unref();

/** Ends the program as SIGTERM does, and one that does not heed that a little later. */
function end(): void {
  // A second SIGTERM would cut the program's own stop short.
  if (process.listenerCount("disconnect") > 0) return;
  setTimeout(() => process.exit(1), GRACE_MS).unref();
  process.kill(process.pid, "SIGTERM");
}
