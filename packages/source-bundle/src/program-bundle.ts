/**
 * Makes the files that a published program starts from: its `main.js`, one bundle of everything that the program loads, and the bundle's code
 * cache. Loading several hundred small modules instead costs three times the processor time.
 *
 * The bundle is made of the app's source and of what the other packages have built. It lies in the app's `dist`, and each module in it has the URL
 * that its own file has there, or in its installed package. The exception is a module that names a compiled file beside it,
 * such as the code of a thread: that file is bundled into the same folder, and the module has a URL in that folder.
 *
 * There is no source map: the bundle is readable, and says before each module which file it was.
 *
 * Add-ons, and the packages that only programs in a clone use, stay outside.
 */
import { fork } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { build, type BuildOptions, type Plugin } from "esbuild";

import { packagesOf } from "./licences.ts";
import { bundleOf, loadBundle } from "./load-bundle.ts";

/** Packages with files of their own beside their code, which must be loaded from where they are. */
const ADD_ON = /^better-sqlite3$/;

/** What only runs from source. */
const EXTERNAL = ["@meridian/source-bundle"];

/** How a module names a compiled file beside it. */
const COMPILED_FILE = /new URL\("\.\/([\w.-]+\.js)", import\.meta\.url\)/g;

/** Where modules find out where they are: before a bundle of Node.js's older module system, and before one of the newer. */
const PLACES = {
  cjs: `const { pathToFileURL: toUrl_ } = require("node:url"), bundleUrl_ = toUrl_(__filename).href, require_ = require;`,
  esm: `import { createRequire as createRequire_ } from "node:module"; import { pathToFileURL as toUrl_ } from "node:url"; const bundleUrl_ = import.meta.url, require_ = createRequire_(bundleUrl_);`,
};

/** Makes the files of the app in a folder, whose `dist` has been compiled. `args` are for a first run of the program. */
export async function bundleProgram(app: string, args: readonly string[]): Promise<void> {
  const dist = join(app, "dist");
  const threads = new Set<string>();
  const main = join(dist, "main.js");
  const inputs = await bundle(app, join(app, "src/main.ts"), bundleOf(main), threads);
  for (const file of threads) {
    inputs.push(...(await bundle(app, file, join(dist, basename(file)), threads)));
  }
  writeFileSync(join(dist, "licenses.json"), `${JSON.stringify(packagesOf(inputs), null, 2)}\n`);
  await build({ ...OPTIONS, entryPoints: [beside("start")], outfile: main });
  await writeCache(main, args);
}

const OPTIONS = {
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  logLevel: "warning",
} as const satisfies BuildOptions;

/** Bundles `entry` into `outfile`. Adds compiled files that modules name to `threads`, and returns the paths of all files that it read. */
async function bundle(
  app: string,
  entry: string,
  outfile: string,
  threads: Set<string>,
): Promise<string[]> {
  const format = outfile.endsWith(".cjs") ? "cjs" : "esm";
  const { metafile } = await build({
    ...OPTIONS,
    absWorkingDir: app,
    entryPoints: [entry],
    outfile,
    format,
    external: EXTERNAL,
    metafile: true,
    banner: {
      js: `${PLACES[format]} const packageUrl_ = (name) => toUrl_(require_.resolve(name)).href, urlBeside_ = (url, path) => new URL(path, url).href;`,
    },
    plugins: [givePlaces(app, threads)],
  });
  return Object.keys(metafile.inputs).map((input) => join(app, input));
}

/** Runs the program once, so that its code cache is written. Throws if V8 would not take that cache. */
async function writeCache(main: string, args: readonly string[]): Promise<void> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const folder = mkdtempSync(join(tmpdir(), "meridian-first-run-"));
  try {
    const outfile = join(folder, "write-cache.mjs");
    await build({ ...OPTIONS, entryPoints: [beside("write-cache")], outfile });
    const child = fork(outfile, [main, ...args], {
      cwd: folder,
      env,
      execArgv: [],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    const said: unknown[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (part) => said.push(part));
    }
    const code = await new Promise((resolve) => child.once("close", resolve));
    if (code !== 0) throw new Error(`Expected the program to start, got\n${said.join("")}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (loadBundle(bundleOf(main)).isCached) return;
  throw new Error("Expected a code cache that V8 takes, got one that it rejects");
}

/** Tells modules where they are. Adds the compiled files that modules name to `threads`. */
function givePlaces(app: string, threads: Set<string>): Plugin {
  return {
    name: "give-places",
    setup(bundler) {
      bundler.onResolve({ filter: ADD_ON }, ({ path, importer }) => ({
        path,
        namespace: "add-on",
        pluginData: placeOf(importer, app),
      }));
      // The package that depends on an add-on finds it. Elsewhere it may be out of sight.
      bundler.onLoad({ filter: ADD_ON, namespace: "add-on" }, ({ path, pluginData }) => ({
        contents: `import { createRequire } from "node:module"; export default createRequire(${pluginData})("${path}");`,
      }));
      bundler.onLoad({ filter: /\.[mc]?[jt]s$/ }, ({ path }) => {
        const text = readFileSync(path, "utf8");
        if (!/^#!|import\.meta\./.test(text)) return undefined;
        const named = [...text.matchAll(COMPILED_FILE)].map(([, name = ""]) =>
          join(dirname(path), name),
        );
        const compiled = named.filter((file) => existsSync(file));
        for (const file of compiled) threads.add(file);
        const place = compiled.length > 0 ? "bundleUrl_" : placeOf(path, app);
        return {
          contents: text
            .replace(/^#!/, "//")
            .replaceAll("import.meta.url", place)
            .replaceAll("import.meta.resolve(", "packageUrl_("),
          loader: path.endsWith("ts") ? "ts" : "js",
        };
      });
    },
  };
}

/** The URL of a module's built file, as JavaScript. */
function placeOf(path: string, app: string): string {
  const root = packageFolder(path);
  const file = relative(root, path)
    .replace(/^src\//, "dist/")
    .replace(/\.ts$/, ".js");
  const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly name: string;
    readonly exports: { readonly ".": { readonly default: string } };
  };
  const [url, from] =
    root === app
      ? ["bundleUrl_", "dist"]
      : [`packageUrl_(${JSON.stringify(name)})`, dirname(exports["."].default)];
  return `urlBeside_(${url}, ${JSON.stringify(`./${relative(from, file)}`)})`;
}

/** The nearest folder above `file` with a `package.json`. */
function packageFolder(file: string): string {
  let folder = dirname(file);
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

/** The path of a module beside this one, which is compiled if this one is. */
function beside(name: string): string {
  return fileURLToPath(new URL(name + extname(fileURLToPath(import.meta.url)), import.meta.url));
}
