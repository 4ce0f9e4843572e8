/**
 * Keeps the program running when the reader of its output is gone, such as a log collector that has crashed: only the
 * output is lost. A second call changes nothing.
 */
export function outliveOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream.listeners("error").includes(ignoreLostReader)) stream.on("error", ignoreLostReader);
  }
}

function ignoreLostReader(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}
