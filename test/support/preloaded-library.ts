import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Builds a library to preload from a C file beside this one. Returns why it cannot be built here; undefined once it is there. */
export function buildLibrary(source: string, library: string): string | undefined {
  const path = fileURLToPath(new URL(source, import.meta.url));
  try {
    const args = ["-shared", "-fPIC", "-O1", "-o", library, path, "-ldl", "-lpthread"];
    execFileSync("cc", args, { stdio: "pipe" });
    return undefined;
  } catch (cause) {
    return `a library cannot be built here, which takes a C compiler: ${String(cause)}`;
  }
}
