/**
 * Lets the program live on when nobody reads its output any more, as after the death of a log collector: what it
 * prints is then lost, and nothing else. Calling it again changes nothing.
 */
export function outliveOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream.listeners("error").includes(ignoreLostReader)) stream.on("error", ignoreLostReader);
  }
}

function ignoreLostReader(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}
