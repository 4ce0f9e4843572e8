/**
 * Loaded into every program before its own code: ends the program if its parent ends while the program still starts.
 * Once it has started, the program watches its parent itself, and stops in order.
 */
const GRACE_MS = 5_000;

if (process.connected) process.once("disconnect", end);
else end();

// Listening must not keep a program alive that has come to its end.
process.channel?.unref();

/** Sends SIGTERM to the program, and ends it a little later if it does not stop. */
function end(): void {
  // A second SIGTERM would cut the program's own stop short.
  if (process.listenerCount("disconnect") > 0) return;
  setTimeout(() => process.exit(1), GRACE_MS).unref();
  process.kill(process.pid, "SIGTERM");
}
