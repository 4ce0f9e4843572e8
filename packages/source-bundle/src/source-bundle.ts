/**
 * Makes one file of JavaScript of the source of a program or thread, so that it starts fast: loading a hundred small modules
 * through a TypeScript loader costs each process five times the time of loading one file. `bundleSource` makes the file when it is
 * needed and keeps it until one of its sources changes; there is nothing to run or to clean.
 *
 * Each module keeps the `import.meta.url` of its source, so that it finds the files beside its source. The exception is a
 * module that names a compiled file of which only the source exists, such as the code of a thread: `bundleSource` bundles
 * that source, too, and gives the module a URL beside which the compiled file lies.
 *
 * A program that is cached starts from what V8 compiled of it before, as `load-bundle.ts` explains. Its code is in a file of Node.js's older module
 * system then, because Node.js hands V8 such code only for these.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { threadId } from "node:worker_threads";

import type * as Esbuild from "esbuild";

/** How a bundle is made. */
export interface BundleOptions {
  /** A module that the program loads before its own code. Threads of the program do not load it. */
  readonly inject?: string;
  /** Whether the program starts from what V8 compiled of it in its first run. It must not wait for anything in a module's own code then. */
  readonly isCached?: boolean;
}

/** Packages with files of their own beside their code, which must be loaded from where they are. */
const EXTERNAL = /^(better-sqlite3|esbuild)$/;

const MODULE_URL = "__sourceUrl";

const SELF = fileURLToPath(import.meta.url);

/** What runs a program that is cached. */
const START = join(dirname(SELF), "start-from-source.ts");

/** The function that stands for `import.meta.resolve`, which Node.js's older module system has not. */
const RESOLVE = "resolveSource_";

/** How a module names a compiled file beside it. */
const COMPILED_FILE = /new URL\("\.\/([\w.-]+)\.js", import\.meta\.url\)/g;

/**
 * Turns `entry` (the path of a TypeScript file) into one file of JavaScript and returns its path, which lies in the
 * `node_modules/.cache` of the package of `entry`. Rejects if there is no bundler, or if the bundler refuses the source.
 */
export async function bundleSource(entry: string, options: BundleOptions = {}): Promise<string> {
  const root = packageFolder(entry);
  const folder = join(root, "node_modules/.cache/source-bundle", relative(root, dirname(entry)));
  const { inject, isCached = false } = options;
  const start = (isCached ? "cached-" : "") + (inject ? `${basename(inject, ".ts")}-` : "");
  const file = join(folder, start + compiledName(entry));
  if (isFresh(file)) return file;
  mkdirSync(folder, { recursive: true });
  write(join(folder, "package.json"), '{"type":"module"}');
  const involved = await withBundler((bundler) => bundle(bundler, file, entry, options));
  write(`${file}.json`, JSON.stringify(versionsOf(involved)));
  return file;
}

/** Bundles `entry` into `file`, and the compiled files that `entry` names into the same folder. Returns the paths of all sources. */
async function bundle(
  { build }: typeof Esbuild,
  file: string,
  entry: string,
  { inject, isCached = false }: BundleOptions,
): Promise<ReadonlySet<string>> {
  const folder = dirname(file);
  const program = isCached ? file.replace(/js$/, "cjs") : file;
  const wanted = new Map([[program, entry]]);
  if (isCached) wanted.set(file, START);
  const involved = new Set<string>([SELF]);
  // The loop also visits what `keepPlaces` adds meanwhile.
  for (const [outfile, source] of wanted) {
    const { outputFiles, metafile } = await build({
      ...optionsFor(source, outfile),
      plugins: source === START ? [] : [keepPlaces(folder, wanted)],
      inject: inject === undefined || outfile !== program ? [] : [inject],
    });
    for (const input of Object.keys(metafile.inputs)) involved.add(`/${input}`);
    for (const { path, contents } of outputFiles) write(path, contents);
    involved.add(outfile);
  }
  return involved;
}

/** The nearest folder above `entry` with a `package.json`. */
function packageFolder(entry: string): string {
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return folder;
  }
  return dirname(entry);
}

/** Replaces a file that others may read at this moment: they see the whole of the old one or of the new one. */
function write(path: string, contents: string | Uint8Array): void {
  const fresh = `${path}.${process.pid}-${threadId}`;
  writeFileSync(fresh, contents);
  renameSync(fresh, path);
}

let users = 0;

/** Gives `use` the bundler, and ends the bundler's own process after the last use. */
async function withBundler<T>(use: (bundler: typeof Esbuild) => Promise<T>): Promise<T> {
  users += 1;
  try {
    // Loaded only when there is something to bundle.
    const bundler = createRequire(import.meta.url)("esbuild") as typeof Esbuild;
    try {
      return await use(bundler);
    } finally {
      if (users === 1) await bundler.stop();
    }
  } finally {
    users -= 1;
  }
}

function optionsFor(
  entry: string,
  outfile: string,
): Esbuild.BuildOptions & { readonly write: false; readonly metafile: true } {
  const url = pathToFileURL(entry).href;
  const isOlder = outfile.endsWith(".cjs");
  return {
    absWorkingDir: "/",
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    outfile,
    format: isOlder ? "cjs" : "esm",
    target: "node20",
    // No source map: at the first error that is looked at, Node.js would read all of it, for a second, in a program that has links to keep. The
    // bundle is readable, and says before each module which file it was.
    sourcemap: false,
    conditions: ["@meridian/source"],
    define: {
      ...(entry !== START && { "import.meta.url": MODULE_URL }),
      ...(isOlder && { "import.meta.resolve": RESOLVE }),
    },
    // Dependencies of the older module system ask for Node.js's own modules by `require`.
    banner: {
      js: isOlder
        ? `const ${RESOLVE} = (name) => require("node:url").pathToFileURL(require.resolve(name)).href;`
        : `import { createRequire as createRequire_ } from "node:module"; const require = createRequire_(${JSON.stringify(url)});`,
    },
    logLevel: "silent",
  };
}

/** Adds to `wanted` what else is to be bundled into `folder`: sources, by the files they become. */
function keepPlaces(folder: string, wanted: Map<string, string>): Esbuild.Plugin {
  return {
    name: "keep-places",
    setup(build) {
      const isOlder = build.initialOptions.format === "cjs";
      build.onResolve({ filter: EXTERNAL }, ({ path, importer, kind }) => {
        const found = createRequire(importer).resolve(path);
        // `require` takes no URLs.
        const isRequired = isOlder && kind !== "dynamic-import";
        return { path: isRequired ? found : pathToFileURL(found).href, external: true };
      });
      build.onLoad({ filter: /\.[mc]?[jt]s$/ }, ({ path }) => {
        const text = readFileSync(path, "utf8");
        if (!/^#!|import\.meta\.url/.test(text)) return undefined;
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

/** The sources of the compiled files that a module names but that do not exist. */
function uncompiledBeside(path: string, text: string): readonly string[] {
  return [...text.matchAll(COMPILED_FILE)]
    .map(([, name]) => join(dirname(path), `${name}.ts`))
    .filter((source) => existsSync(source) && !existsSync(source.replace(/ts$/, "js")));
}

function compiledName(source: string): string {
  return basename(source).replace(/ts$/, "js");
}

/** Whether the bundle exists, and every one of its sources and this file are as they were when it was made. */
function isFresh(file: string): boolean {
  try {
    statSync(file);
    const sources = JSON.parse(readFileSync(`${file}.json`, "utf8")) as Record<string, string>;
    // In a copy of the whole tree this file has another path, and the bundle is made anew.
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
