import { fileURLToPath, pathToFileURL } from "node:url";

/**
 * The file that the writer thread runs. Beside the compiled store lies the compiled thread. A store that runs from source has
 * only TypeScript beside it, and loading a loader into every thread takes five times as long as starting the thread, so
 * the thread is bundled once.
 */
export async function writerThreadFile(): Promise<URL> {
  if (!import.meta.url.endsWith(".ts")) return new URL("./writer-thread.js", import.meta.url);
  const { bundleSource } = await import("@meridian/source-bundle");
  const source = fileURLToPath(new URL("./writer-thread.ts", import.meta.url));
  return pathToFileURL(await bundleSource(source));
}
