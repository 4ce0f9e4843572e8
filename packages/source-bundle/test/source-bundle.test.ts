import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { afterEach, beforeEach, expect, test } from "vitest";

import { bundleSource } from "@meridian/source-bundle";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "meridian-bundle-"));
  mkdirSync(join(folder, "src"));
  writeFileSync(join(folder, "package.json"), "{}");
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, text: string): string {
  const file = join(folder, "src", name);
  writeFileSync(file, text);
  return file;
}

const output = (file: string): string => execFileSync(process.execPath, [file]).toString().trim();

test("a bundled program runs without a loader, and each module keeps the URL of its source", async () => {
  const inner = write("inner.ts", "export const url: string = import.meta.url;");
  const main = write(
    "main.ts",
    '#!/usr/bin/env node\nimport { url } from "./inner.ts";\nconsole.log(url, import.meta.url);\nprocess.exit(0);',
  );
  const bundle = await bundleSource(main);
  expect(output(bundle)).toBe(`${pathToFileURL(inner).href} ${pathToFileURL(main).href}`);
});

test("a bundle is kept until one of its sources changes", async () => {
  write("inner.ts", "export const word: string = 'one';");
  const main = write(
    "main.ts",
    'import { word } from "./inner.ts";\nconsole.log(word);\nprocess.exit(0);',
  );
  const bundle = await bundleSource(main);
  const { mtimeMs } = statSync(bundle);
  expect(await bundleSource(main)).toBe(bundle);
  expect(statSync(bundle).mtimeMs).toBe(mtimeMs);
  write("inner.ts", "export const word: string = 'another';");
  expect(output(await bundleSource(main))).toBe("another");
});

/** A program with a thread that is named as a compiled file. */
function writeThreaded(word: string): string {
  write("word.ts", `export const word: string = "${word}";`);
  write("thread.ts", 'import { word } from "./word.ts";\nconsole.log(word, import.meta.url);');
  return write(
    "main.ts",
    'import { Worker } from "node:worker_threads";\nconst compiled = !import.meta.url.endsWith(".ts");\nnew Worker(new URL("./thread.js", import.meta.url)).once("exit", () => console.log(compiled));',
  );
}

test("what a module names as a compiled file beside it is bundled, too", async () => {
  const main = writeThreaded("one");
  const source = pathToFileURL(join(folder, "src", "thread.ts")).href;
  expect(output(await bundleSource(main))).toBe(`one ${source}\ntrue`);
  writeThreaded("another");
  expect(output(await bundleSource(main))).toBe(`another ${source}\ntrue`);
  rmSync(join(dirname(await bundleSource(main)), "thread.js"));
  expect(output(await bundleSource(main))).toBe(`another ${source}\ntrue`);
});

test("what is compiled already is left where it is", async () => {
  const main = writeThreaded("one");
  write("thread.js", 'console.log("compiled");');
  expect(output(await bundleSource(main))).toBe("compiled\nfalse");
});

test("what is injected runs first, in a bundle beside the one without it", async () => {
  const inject = write("first.ts", 'console.log("first");');
  const main = write("main.ts", 'console.log("main");');
  const [plain, injected] = await Promise.all([bundleSource(main), bundleSource(main, { inject })]);
  expect(output(injected)).toBe("first\nmain");
  expect(output(plain)).toBe("main");
});

test("a cached program starts from what V8 compiled in its first run, until it changes", async () => {
  const source = (word: string): string =>
    `#!/usr/bin/env node\nconst said: string = "${word}";\nconsole.log(said, import.meta.url, import.meta.resolve("other"));`;
  const main = write("main.ts", source("one"));
  const other = join(folder, "node_modules/other/index.js");
  mkdirSync(dirname(other), { recursive: true });
  writeFileSync(other, "");
  const urls = [main, other].map((file) => pathToFileURL(file).href).join(" ");
  const bundle = await bundleSource(main, { isCached: true });
  const cache = bundle.replace(/js$/, "cjs.cache");
  expect(output(bundle)).toBe(`one ${urls}`);
  const { mtimeMs } = statSync(cache);
  expect(output(bundle)).toBe(`one ${urls}`);
  // It would have been written again if V8 had not taken it.
  expect(statSync(cache).mtimeMs).toBe(mtimeMs);
  write("main.ts", source("two"));
  expect(await bundleSource(main, { isCached: true })).toBe(bundle);
  expect(output(bundle)).toBe(`two ${urls}`);
  expect(statSync(cache).mtimeMs).not.toBe(mtimeMs);
});

test("a program that starts from its code cache imports files, as in its first run", async () => {
  const other = pathToFileURL(write("other.mjs", "export const said = 'imported';")).href;
  const { href } = new URL("../src/import-file.ts", import.meta.url);
  const main = write(
    "main.ts",
    `import { importFile } from ${JSON.stringify(fileURLToPath(href))};
     importFile(${JSON.stringify(other)}).then(({ said }: any) => console.log(said));`,
  );
  const bundle = await bundleSource(main, { isCached: true });
  for (let run = 0; run < 2; run += 1) expect(output(bundle)).toBe("imported");
});

test("source that cannot be bundled is an error", async () => {
  await expect(bundleSource(write("main.ts", "const = 5;"))).rejects.toThrow(/Build failed/);
});

test("a program is run from its source, with its arguments, and again after a change", () => {
  const run = fileURLToPath(new URL("../run.js", import.meta.url));
  const main = write("main.ts", "console.log('one', process.argv.slice(2).join());");
  const ran = (): string =>
    execFileSync(process.execPath, [run, main, "first", "--second"]).toString().trim();
  expect(ran()).toBe("one first,--second");
  write("main.ts", "console.log('another' as string, process.argv.slice(2).join());");
  expect(ran()).toBe("another first,--second");
  expect(() => execFileSync(process.execPath, [run], { stdio: "pipe" })).toThrow(
    "Expected the path of a program's source, got no argument",
  );
});
