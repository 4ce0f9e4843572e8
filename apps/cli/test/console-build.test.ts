import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, it, onTestFinished } from "vitest";

import { buildConsole } from "../src/dev/console-build.ts";

/** A folder of a console with sources, and a bundler that runs `script`. */
function sources(script: string): { readonly home: string; readonly folder: string } {
  const home = mkdtempSync(join(tmpdir(), "meridian-console-"));
  onTestFinished(() => rmSync(home, { recursive: true }));
  mkdirSync(join(home, "page/pages"), { recursive: true });
  mkdirSync(join(home, "node_modules/vite/bin"), { recursive: true });
  for (const file of ["index.html", "vite.config.ts", "package.json", "page/pages/a.tsx"]) {
    writeFileSync(join(home, file), "{}");
  }
  writeFileSync(join(home, "node_modules/vite/package.json"), '{"type":"commonjs"}');
  writeFileSync(join(home, "node_modules/vite/bin/vite.js"), script);
  return { home, folder: join(home, "dist/page/") };
}

const BUILD = `const fs = require("node:fs");
fs.mkdirSync("dist/page", { recursive: true });
fs.writeFileSync("dist/page/index.html", "built");`;

it("the console is built if it is missing or older than a source, and else left alone", async () => {
  const { home, folder } = sources(BUILD);
  expect(await buildConsole(folder)).toBe(true);
  expect(existsSync(join(folder, "index.html"))).toBe(true);
  expect(await buildConsole(folder)).toBe(false);
  const later = new Date(Date.now() + 60_000);
  utimesSync(join(home, "page/pages/a.tsx"), later, later);
  expect(await buildConsole(folder)).toBe(true);
});

it("a console without sources is not built: it is installed", async () => {
  const { home, folder } = sources("process.exit(1);");
  rmSync(join(home, "vite.config.ts"));
  expect(await buildConsole(folder)).toBe(false);
});

it("what the bundler says is told", async () => {
  const { folder } = sources('console.error("no such module"); process.exit(1);');
  await expect(buildConsole(folder)).rejects.toThrow("no such module");
});
