import { readFileSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "@meridian/harness";
import { expect } from "vitest";

/** The modules that an example imports, by their names. */
export type Modules = Readonly<Record<string, object>>;

/**
 * Runs the `js` blocks of the README in `folder`, one after the other in one function, and expects of each `…; // → value` that value. Its imports
 * come from `modules`. Returns how many values there were.
 */
export async function runReadme(folder: string, modules: Modules): Promise<number> {
  const text = readFileSync(join(ROOT, folder, "README.md"), "utf8");
  const blocks = [...text.matchAll(/^```js\n(.*?)^```/gms)].map(([, block = ""]) => block);
  let count = 0;
  const same = (got: unknown, expected: unknown): void => {
    expect(got).toEqual(expected);
    count += 1;
  };
  const code = blocks
    .join("\n")
    .replace(/^import (\{.*?\}) from "(.*?)";$/gms, 'const $1 = modules["$2"];')
    .replace(/^import (\w+) from "(.*?)";$/gm, 'const $1 = modules["$2"].default;')
    .replace(/^export default /gm, "")
    .replace(/^( *)(.*); \/\/ → (.*)$/gm, "$1same($2, $3);");
  const module = `export async function run(modules, same) {\n${code}\n}`;
  const example = (await import(
    /* @vite-ignore */ `data:text/javascript,${encodeURIComponent(module)}`
  )) as { run(given: Modules, comparing: typeof same): Promise<void> };
  await example.run(modules, same);
  return count;
}
