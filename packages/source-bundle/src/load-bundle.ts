/**
 * Runs a bundled program with what V8 has compiled of it before. The bundle and its _code cache_ are made together, when the program is built;
 * the cache has the code of all functions that run while the program starts, so that V8 need not read a megabyte of JavaScript first.
 *
 * V8 takes a code cache of the same version and flags as its own; any other it rejects, and the program starts all the same, a
 * little later. What V8 does not check is whether the cache is of this very text, so a hash of the text precedes it.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname } from "node:path";
import { Script } from "node:vm";

import { offerImport } from "./import-file.ts";

/** The path of the bundle that a program's `main.js` runs. */
export function bundleOf(main: string): string {
  return main.replace(/\.js$/, ".cjs");
}

/** The path of the code cache of a bundle. */
export function cacheOf(bundle: string): string {
  return `${bundle}.cache`;
}

/** A bundle that is compiled, and has not run. */
export interface LoadedBundle {
  /** Whether V8 took the code cache. */
  readonly isCached: boolean;
  /** Runs the program. */
  run(): void;
  /** The contents of a code cache with all functions that have run so far. */
  makeCache(): Uint8Array;
}

/** Loads the bundle in a file, and the code cache beside it, if there is one for it. */
export function loadBundle(file: string): LoadedBundle {
  const text = readFileSync(file);
  const hash = createHash("sha256").update(text).digest();
  const cachedData = cacheFor(file, hash);
  const script = new Script(
    `(function (require, module, exports, __filename, __dirname) {${text.toString()}\n})`,
    {
      // What stack traces say. A code cache remembers it, and would tell of the folder in which the program was built.
      filename: basename(file),
      ...(cachedData !== undefined && { cachedData }),
    },
  );
  return {
    isCached: script.cachedDataRejected === false,
    run: () => {
      offerImport((url) => import(url));
      const program = script.runInThisContext() as (...given: readonly unknown[]) => void;
      const module = { exports: {} };
      program(createRequire(file), module, module.exports, file, dirname(file));
    },
    makeCache: () => Buffer.concat([hash, script.createCachedData()]),
  };
}

/** The code cache of the bundle with this hash. Undefined if there is none. */
function cacheFor(file: string, hash: Buffer): Buffer | undefined {
  let cache: Buffer;
  try {
    cache = readFileSync(cacheOf(file));
  } catch {
    return undefined;
  }
  return hash.equals(cache.subarray(0, hash.length)) ? cache.subarray(hash.length) : undefined;
}
