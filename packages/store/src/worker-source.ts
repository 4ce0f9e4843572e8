import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The folder of this package. */
const ROOT = new URL("..", import.meta.url);

/**
 * The file that the writer thread runs. Beside the compiled store it is the compiled thread. A store that runs from
 * source has only TypeScript beside it, and loading a loader into every thread takes five times as long
 * as starting the thread, so it is bundled once and kept until one of its sources changes.
 */
export async function writerThreadFile(): Promise<URL> {
  if (!import.meta.url.endsWith(".ts")) return new URL("./writer-thread.js", import.meta.url);
  const folder = new URL("../node_modules/.cache/meridian-store/", import.meta.url);
  const file = new URL("writer-thread.mjs", folder);
  if (isFresh(file)) return file;
  const { buildSync } = await import("esbuild");
  const built = buildSync({
    absWorkingDir: fileURLToPath(ROOT),
    entryPoints: ["src/writer-thread.ts"],
    outfile: fileURLToPath(file),
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["better-sqlite3"],
    conditions: ["@meridian/source"],
  });
  const [output] = built.outputFiles;
  const sources: Record<string, string> = {};
  for (const input of Object.keys(built.metafile.inputs)) sources[input] = versionOf(input);
  const path = fileURLToPath(file);
  mkdirSync(folder, { recursive: true });
  // Several processes may start at once; each sees a whole file or none.
  writeFileSync(`${path}.${process.pid}`, `//${JSON.stringify(sources)}\n${output?.text ?? ""}`);
  renameSync(`${path}.${process.pid}`, path);
  return file;
}

/** Whether the bundle's first line names every source as it is now, also where the whole tree is a copy of another. */
function isFresh(file: URL): boolean {
  try {
    const text = readFileSync(file, "utf8");
    const sources: unknown = JSON.parse(text.slice(2, text.indexOf("\n")));
    if (typeof sources !== "object" || sources === null) return false;
    return Object.entries(sources).every(([source, version]) => versionOf(source) === version);
  } catch {
    return false;
  }
}

/** `source` is a path from the package's folder. */
function versionOf(source: string): string {
  const { mtimeMs, size } = statSync(new URL(source, ROOT));
  return `${mtimeMs}-${size}`;
}
