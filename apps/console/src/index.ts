import { fileURLToPath } from "node:url";

/**
 * The folder of the console's built files: `index.html`, and what it loads under `console/`. In a clone that has not been built it is
 * not there.
 */
export function consoleFolder(): string {
  return fileURLToPath(new URL("../dist/page/", import.meta.url));
}
