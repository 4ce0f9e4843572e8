/** Plants bugs in a copy of the tree, one at a time, and asks of each whether the one suite that is named beside it notices. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { MUTANTS, type Mutant, type Suite } from "./mutants.ts";
import { Tree } from "./tree.ts";

const USAGE = `Usage: npm run hunt:mutants -- [text]
         plants the bugs whose description has \`text\` in it: all of them by default. The exit code is 0 if every one was
         noticed by its suite, and every suite passes without it.`;

const { positionals } = parseArgs({ allowPositionals: true });
if (positionals.length > 1) {
  console.error(USAGE);
  process.exit(2);
}
const [text = ""] = positionals;
const chosen = MUTANTS.filter(({ bug }) => bug.includes(text));
const tree = new Tree();
let failed = 0;
try {
  const passing = new Set<string>();
  for (const mutant of chosen) {
    const verdict = judge(tree, mutant, passing);
    if (verdict !== "noticed") failed += 1;
    console.log(`${verdict}: ${mutant.bug} (${nameOf(mutant.suite)})`);
  }
} finally {
  tree.remove();
}
console.log(`${chosen.length - failed} of ${chosen.length} planted bugs were noticed`);
process.exitCode = failed === 0 ? 0 : 1;

function judge({ path }: Tree, { file, find, put, suite }: Mutant, passing: Set<string>): string {
  const source = readFileSync(join(path, file), "utf8");
  const places = source.split(find).length - 1;
  if (places !== 1) return `DOES NOT APPLY, its text is there ${places} times`;
  if (!passing.has(nameOf(suite))) {
    if (run(path, suite) !== 0) return "ITS SUITE FAILS WITHOUT IT";
    passing.add(nameOf(suite));
  }
  tree.write(
    file,
    source.replace(find, () => put),
  );
  const status = run(path, suite);
  tree.write(file, source);
  return status === 0 ? "LET THROUGH" : "noticed";
}

function nameOf(suite: Suite): string {
  return "test" in suite
    ? [suite.test, suite.title ?? []].flat().join(": ")
    : `seeds ${suite.seeds}`;
}

function run(cwd: string, suite: Suite): number | null {
  const node = (...args: readonly string[]): number | null =>
    spawnSync(process.execPath, args, { cwd, stdio: "ignore", env: { ...process.env, CI: "1" } })
      .status;
  if ("seeds" in suite) {
    const simulate = [
      "--conditions=@meridian/source",
      "--import",
      "tsx",
      "test/simulation/main.ts",
    ];
    return node(...simulate, ...suite.seeds.split(" "));
  }
  const title = suite.title === undefined ? [] : ["-t", suite.title];
  const vitest = join("node_modules", "vitest", "vitest.mjs");
  return node(vitest, "run", "--config", "test/vitest.config.ts", suite.test, ...title);
}
