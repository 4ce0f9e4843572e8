/**
 * Makes node:http keep a pause in the reading of a connection.
 *
 * node:http stops reading where a body waits to be taken, and goes on reading at the end of each request. If a packet has the end of one body and
 * much of the next, and nobody has taken the first, it does both in one turn: it resumes, which takes effect later, and then pauses. So the reading
 * goes on although the connection counts as paused, and no later pause ends it, because it changes nothing: thirty bodies
 * that were sent ahead would come whole, while one of them waits.
 */
import type { Duplex } from "node:stream";

/** From here on, a connection that was paused before its resuming took effect is read no further. */
export function keepPauses(connection: Duplex): void {
  connection.on("resume", () => {
    if (connection.isPaused()) process.nextTick(stopAgain, connection);
  });
}

/** Has node:http stop the reading, which begins again in whichever listener of `resume` is the last. */
function stopAgain(connection: Duplex): void {
  if (connection.isPaused()) connection.emit("pause");
}
