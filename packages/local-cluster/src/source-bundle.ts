/**
 * A program that runs from source, made one file so that it starts fast: loading a hundred small modules through a
 * TypeScript loader costs each process five times the time of loading one. Made when it is needed and kept until
 * one of its sources changes; there is nothing to run or to clean.
 *
 * Each module keeps the `import.meta.url` of its source, so that it finds the files beside it. The exception is a
 * module that names a compiled file of which there is only the source, such as what a thread of it is to run: that
 * source is bundled, too, and the module finds it as if all were compiled. Else each process would have to do it.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import type * as Esbuild from "esbuild";

/** Packages with files of their own beside their code, which must be loaded from where they are. */
const EXTERNAL = /^(better-sqlite3|esbuild)$/;

const MODULE_URL = "__sourceUrl";

const SELF = fileURLToPath(import.meta.url);
const GUARD = fileURLToPath(new URL("./exit-with-parent.ts", import.meta.url));

/** How a module names a compiled file beside it. */
const COMPILED_FILE = /new URL\("\.\/([\w.-]+)\.js", import\.meta\.url\)/g;

/** Turns `entry` (a TypeScript file) into one file of JavaScript and returns its path. Throws if there is no bundler. */
export async function bundleSource(entry: string): Promise<string> {
  const folder = join(dirname(entry), "../node_modules/.cache/meridian-dev");
  const file = join(folder, "main.js");
  if (isFresh(file)) return file;
  const { build } = await bundler();
  const wanted = new Map([[file, entry]]);
  const involved = new Set<string>([SELF]);
  mkdirSync(folder, { recursive: true });
  write(join(folder, "package.json"), '{"type":"module"}');
  // A map is iterated to what is added meanwhile.
  for (const [outfile, source] of wanted) {
    const plugins = [keepPlaces(folder, wanted)];
    // A thread ends with its program.
    const inject = outfile === file ? [GUARD] : [];
    const options = { ...optionsFor(source), outfile, plugins, inject };
    const { outputFiles, metafile } = await build(options);
    for (const input of Object.keys(metafile.inputs)) involved.add(`/${input}`);
    for (const { path, contents } of outputFiles) write(path, contents);
    involved.add(outfile);
  }
  write(`${file}.json`, JSON.stringify(versionsOf(involved)));
  return file;
}

/** Writes a file that others may read at this moment: they see the whole of it, the old one or the new. */
function write(path: string, contents: string | Uint8Array): void {
  writeFileSync(`${path}.${process.pid}`, contents);
  renameSync(`${path}.${process.pid}`, path);
}

/** Ends the bundler's own process, if it was used. */
export async function endBundler(): Promise<void> {
  await (await loading)?.stop();
}

/** Loaded only when there is something to bundle. */
let loading: Promise<typeof Esbuild> | undefined;

function bundler(): Promise<typeof Esbuild> {
  loading ??= import("esbuild");
  return loading;
}

function optionsFor(
  entry: string,
): Esbuild.BuildOptions & { readonly write: false; readonly metafile: true } {
  const url = pathToFileURL(entry).href;
  return {
    absWorkingDir: "/",
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    target: "node20",
    sourcemap: "linked",
    conditions: ["@meridian/source"],
    define: { "import.meta.url": MODULE_URL },
    // Dependencies of the older module system ask for Node.js's own modules by this.
    banner: {
      js: `import { createRequire as createRequire_ } from "node:module"; const require = createRequire_(${JSON.stringify(url)});`,
    },
    logLevel: "silent",
  };
}

/** Adds to `wanted` what else is to be bundled into `folder`: sources, by the files they become. */
function keepPlaces(folder: string, wanted: Map<string, string>): Esbuild.Plugin {
  return {
    name: "keep-places",
    setup(build) {
      build.onResolve({ filter: EXTERNAL }, ({ path, importer }) => ({
        path: pathToFileURL(createRequire(importer).resolve(path)).href,
        external: true,
      }));
      build.onLoad({ filter: /\.[mc]?[jt]s$/ }, ({ path }) => {
        const text = readFileSync(path, "utf8");
        if (!text.includes("import.meta.url")) return undefined;
        const sources = uncompiledBeside(path, text);
        for (const source of sources) wanted.set(join(folder, compiledName(source)), source);
        const place = sources.length === 0 ? path : join(folder, compiledName(path));
        const url = JSON.stringify(pathToFileURL(place).href);
        return {
          // On the first line, so that line numbers stay; before a comment, where that line names an interpreter.
          contents: `const ${MODULE_URL} = ${url};${text.replace(/^#!/, "//")}`,
          loader: path.endsWith("ts") ? "ts" : "js",
        };
      });
    },
  };
}

/** The sources of the compiled files that a module names but that are not there. */
function uncompiledBeside(path: string, text: string): readonly string[] {
  return [...text.matchAll(COMPILED_FILE)]
    .map(([, name]) => join(dirname(path), `${name}.ts`))
    .filter((source) => existsSync(source) && !existsSync(source.replace(/ts$/, "js")));
}

function compiledName(source: string): string {
  return basename(source).replace(/ts$/, "js");
}

/** Whether the bundle is there, and every one of its sources and this file are as they were. */
function isFresh(file: string): boolean {
  try {
    statSync(file);
    const sources = JSON.parse(readFileSync(`${file}.json`, "utf8")) as Record<string, string>;
    if (!Object.hasOwn(sources, SELF)) return false;
    return Object.entries(sources).every(([path, version]) => versionOf(path) === version);
  } catch {
    return false;
  }
}

function versionsOf(paths: Iterable<string>): Readonly<Record<string, string>> {
  return Object.fromEntries([...paths].map((path) => [path, versionOf(path)]));
}

function versionOf(path: string): string {
  const { mtimeMs, size } = statSync(path);
  return `${mtimeMs}-${size}`;
}
