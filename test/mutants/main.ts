/**
 * Plants bugs in copies of the tree, one at a time, and checks that the suite named beside each bug fails. Each suite must
 * pass without a bug.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import type { Mutant, Suite } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";
import { Tree } from "./tree.ts";

const USAGE = `Usage: npm run hunt:mutants -- [--from <n>] [text]
         plants the bugs whose description has \`text\` in it: all of them by default. With --from, it goes on at the n-th. The exit
         code is 0 if every one was noticed by its suite, and every suite passes without it.`;

/** A suite that takes longer counts as failed, because with some bugs a suite would never end. In milliseconds. */
const SUITE_MS = 300_000;
const SIMULATE = ["--conditions=@meridian/source", "--import", "tsx", "test/simulation/main.ts"];

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { from: { type: "string", default: "1" } },
});
const from = Number(values.from);
if (positionals.length > 1 || !(from >= 1)) {
  console.error(USAGE);
  process.exit(2);
}
const [text = ""] = positionals;
const chosen = MUTANTS.filter(({ bug }) => bug.includes(text));
const waiting = [...chosen.entries()].slice(from - 1);
const asked = waiting.length;
/** Whether each suite passes without a bug, by its name. */
const passing = new Map<string, Promise<boolean>>();
let failed = 0;
await Promise.all(Array.from({ length: availableParallelism() }, () => plantInOwnTree()));
console.log(`${asked - failed} of ${asked} planted bugs were noticed`);
process.exitCode = failed === 0 ? 0 : 1;

async function plantInOwnTree(): Promise<void> {
  const tree = new Tree();
  try {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, mutant] = next;
      const verdict = await judge(tree, mutant);
      if (verdict !== "noticed") failed += 1;
      const place = `${index + 1} of ${chosen.length}`;
      console.log(`${place}: ${verdict}: ${mutant.bug} (${nameOf(mutant.suite)})`);
    }
  } finally {
    tree.remove();
  }
}

async function judge(tree: Tree, { file, find, put, suite }: Mutant): Promise<string> {
  const source = readFileSync(join(tree.path, file), "utf8");
  const places = source.split(find).length - 1;
  if (places !== 1) return `DOES NOT APPLY, its text is there ${places} times`;
  const name = nameOf(suite);
  const passes = passing.get(name) ?? run(tree.path, suite);
  passing.set(name, passes);
  if (!(await passes)) return "ITS SUITE FAILS WITHOUT IT";
  tree.write(
    file,
    source.replace(find, () => put),
  );
  const isLetThrough = await run(tree.path, suite);
  tree.write(file, source);
  return isLetThrough ? "LET THROUGH" : "noticed";
}

function nameOf(suite: Suite): string {
  return "test" in suite
    ? [suite.test, suite.title ?? []].flat().join(": ")
    : `seeds ${suite.seeds}`;
}

/** Resolves to whether a suite passes. */
function run(cwd: string, suite: Suite): Promise<boolean> {
  const vitest = join("node_modules", "vitest", "vitest.mjs");
  const args =
    "seeds" in suite
      ? [...SIMULATE, ...suite.seeds.split(" ")]
      : [vitest, "run", "--config", "test/vitest.config.ts", suite.test, ...titleOf(suite)];
  const env = { ...process.env, CI: "1" };
  const child = spawn(process.execPath, args, { cwd, stdio: "ignore", env, timeout: SUITE_MS });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code === 0));
  });
}

function titleOf({ title }: Extract<Suite, { test: string }>): readonly string[] {
  return title === undefined ? [] : ["-t", title];
}
