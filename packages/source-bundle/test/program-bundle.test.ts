import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

import { afterEach, beforeEach, expect, test } from "vitest";

import { bundleProgram } from "../src/program-bundle.ts";

let folder = "";
let app = "";

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "meridian-program-")));
  app = join(folder, "app");
  write("app/package.json", manifest("app"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function manifest(name: string, more: object = {}): string {
  return JSON.stringify({
    name,
    version: "1.2.3",
    type: "module",
    exports: { ".": { default: "./dist/index.js" } },
    ...more,
  });
}

function write(path: string, text: string): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** Adds a package of the same repository, which is built. */
function writePackage(files: Readonly<Record<string, string>>): void {
  write("library/package.json", manifest("library"));
  for (const [name, text] of Object.entries(files)) write(`library/dist/${name}`, text);
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  symlinkSync("../library", join(folder, "node_modules/library"));
}

/** Runs what was bundled, without the sources that it was made of. */
function ran(...args: readonly string[]): string {
  rmSync(join(app, "src"), { recursive: true, force: true });
  const main = join(app, "dist/main.js");
  return execFileSync(process.execPath, [main, ...args], { encoding: "utf8" }).trim();
}

const url = (path: string): string => pathToFileURL(join(folder, path)).href;

test("a program is one file, which runs without its sources and gets its arguments", async () => {
  write("app/src/word.ts", 'export const word: string = "one — two";');
  write(
    "app/src/main.ts",
    '#!/usr/bin/env node\nimport { word } from "./word.ts";\nconsole.log(word, process.argv.slice(1).join());',
  );
  await bundleProgram(app, []);
  expect(ran("a", "--b")).toBe(`one — two ${join(app, "dist/main.js")},a,--b`);
});

test("a server is run until it listens", async () => {
  write(
    "app/src/main.ts",
    'setInterval(() => {}, 1_000);\nconst [first] = process.argv.slice(2);\nif (first === "listens") process.send?.({ type: "listening" });\nelse process.exit(0);',
  );
  await bundleProgram(app, ["listens"]);
  expect(ran()).toBe("");
});

test("a program that does not start is an error that says why", async () => {
  write("app/src/main.ts", 'throw new Error("no such luck");');
  await expect(bundleProgram(app, [])).rejects.toThrow(/Expected the program to start.*luck/s);
});

test("a code cache of another text is left alone, and so is one of another version of V8", async () => {
  write("app/src/main.ts", 'console.log("one");');
  await bundleProgram(app, []);
  const bundle = join(app, "dist/main.cjs");
  const text = readFileSync(bundle, "utf8");
  writeFileSync(bundle, text.replace('"one"', '"two"'));
  expect(ran()).toBe("two");
  writeFileSync(bundle, text);
  const cache = readFileSync(`${bundle}.cache`);
  cache.fill(0, 32, 48);
  writeFileSync(`${bundle}.cache`, cache);
  expect(ran()).toBe("one");
  rmSync(`${bundle}.cache`);
  expect(ran()).toBe("one");
});

test("an error says where it was in the bundle, and nothing of the folder in which that was built", async () => {
  write("app/src/fail.ts", 'export const fail = (): string => new Error("late").stack ?? "";');
  write("app/src/main.ts", 'import { fail } from "./fail.ts";\nconsole.log(fail());');
  await bundleProgram(app, []);
  expect(readFileSync(join(app, "dist/main.cjs.cache")).includes(folder)).toBe(false);
  renameSync(app, join(folder, "elsewhere"));
  app = join(folder, "elsewhere");
  const [, line] = /at fail \(main\.cjs:(\d+):\d+\)/.exec(ran()) ?? [];
  const lines = readFileSync(join(app, "dist/main.cjs"), "utf8").split("\n");
  expect(lines[Number(line) - 1]).toContain('new Error("late")');
});

test("each module has the URL of its built file, wherever the program is installed", async () => {
  writePackage({ "inner/url.js": "export const inner = import.meta.url;" });
  write(
    "library/dist/index.js",
    'export { inner } from "./inner/url.js";\nexport const outer = import.meta.url;',
  );
  write(
    "app/src/deep/own.ts",
    'export const own: string = import.meta.url;\nexport const found: string = import.meta.resolve("library");',
  );
  write(
    "app/src/main.ts",
    'import { inner, outer } from "library";\nimport { found, own } from "./deep/own.ts";\nconsole.log([inner, outer, own, found].join());',
  );
  await bundleProgram(app, []);
  const library = ["library/dist/inner/url.js", "library/dist/index.js"].map(url);
  const own = url("app/dist/deep/own.js");
  expect(ran()).toBe([...library, own, library[1]].join());
  rmSync(join(folder, "node_modules"), { recursive: true });
  cpSync(join(folder, "library"), join(app, "node_modules/library"), { recursive: true });
  const inside = library.map((each) => each.replace("/library/", "/app/node_modules/library/"));
  expect(ran()).toBe([...inside, own, inside[1]].join());
});

test("the code of a thread is one file beside the program", async () => {
  writePackage({
    "index.js":
      'import { Worker } from "node:worker_threads";\nexport const start = () => new Worker(new URL("./thread.js", import.meta.url));',
    "thread.js": 'import { word } from "./word.js";\nconsole.log(word, import.meta.url);',
    "word.js": 'export const word = "one";',
  });
  write("app/src/main.ts", 'import { start } from "library";\nstart();');
  await bundleProgram(app, []);
  for (const name of ["thread.js", "word.js"]) rmSync(join(folder, "library/dist", name));
  expect(ran()).toBe(`one ${url("library/dist/thread.js")}`);
});

test("the licences of what others wrote are listed, and a package without one is refused", async () => {
  write("node_modules/@x/other/package.json", manifest("@x/other", { license: "MIT" }));
  write("node_modules/@x/other/dist/index.js", "export const other = 5;");
  write("app/src/main.ts", 'import { other } from "@x/other";\nconsole.log(other);');
  await expect(bundleProgram(app, [])).rejects.toThrow("Expected the licence of @x/other");
  write("node_modules/@x/other/LICENSE", "You may.\n");
  await bundleProgram(app, []);
  expect(JSON.parse(readFileSync(join(app, "dist/licenses.json"), "utf8"))).toEqual([
    { name: "@x/other", version: "1.2.3", identifier: "MIT", text: "You may." },
  ]);
});
