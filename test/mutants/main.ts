/**
 * Plants bugs in copies of the tree, one at a time, and checks that the suite named beside each bug fails. Each suite must
 * pass without a bug. A suite that takes too long has noticed nothing, so the hunt fails there, too.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import type { Mutant, Suite } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";
import { runSuite, type Verdict } from "./suite-run.ts";
import { Tree } from "./tree.ts";

const USAGE = `Usage: npm run hunt:mutants -- [--from <n>] [text]
         plants the bugs whose description has \`text\` in it: all of them by default. With --from, it goes on at the n-th. The exit
         code is 0 if every one was noticed by its suite, and every suite passes without it.`;

/** A suite that takes longer is killed, because with some bugs a suite would never end. In milliseconds. */
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
/** What each suite says without a bug, by its name. */
const withoutBug = new Map<string, Promise<Verdict>>();
const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupted.abort());
let noticed = 0;
await Promise.all(Array.from({ length: availableParallelism() }, () => plantInOwnTree()));
console.log(`${noticed} of ${asked} planted bugs were noticed`);
process.exitCode = noticed === asked ? 0 : 1;

async function plantInOwnTree(): Promise<void> {
  const tree = new Tree();
  try {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (interrupted.signal.aborted) return;
      const [index, mutant] = next;
      const verdict = await judge(tree, mutant);
      if (verdict === "noticed") noticed += 1;
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
  const before = withoutBug.get(name) ?? run(tree.path, suite);
  withoutBug.set(name, before);
  const unplanted = await before;
  if (unplanted !== "passes") return `ITS SUITE ${unplanted.toUpperCase()} WITHOUT IT`;
  tree.write(
    file,
    source.replace(find, () => put),
  );
  const planted = await run(tree.path, suite);
  tree.write(file, source);
  if (planted === "has not decided") return "NOT DECIDED, its suite was killed or took too long";
  return planted === "fails" ? "noticed" : "LET THROUGH";
}

function nameOf(suite: Suite): string {
  return "test" in suite
    ? [suite.test, suite.title ?? []].flat().join(": ")
    : `seeds ${suite.seeds}`;
}

function run(cwd: string, suite: Suite): Promise<Verdict> {
  const vitest = join("node_modules", "vitest", "vitest.mjs");
  const args =
    "seeds" in suite
      ? [...SIMULATE, ...suite.seeds.split(" ")]
      : [vitest, "run", "--config", "test/vitest.config.ts", suite.test, ...titleOf(suite)];
  const signal = AbortSignal.any([interrupted.signal, AbortSignal.timeout(SUITE_MS)]);
  return runSuite({ args, cwd, signal });
}

function titleOf({ title }: Extract<Suite, { test: string }>): readonly string[] {
  return title === undefined ? [] : ["-t", title];
}
