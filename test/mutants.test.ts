/** Checks that each bug of `npm run hunt:mutants` can still be planted after a change of the code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "@meridian/harness";
import { expect, it } from "vitest";

import { MUTANTS } from "./mutants/mutants.ts";

it.each(MUTANTS.map(({ bug, file, find }) => [bug, file, find] as const))(
  "a bug can still be planted: %s",
  (_, file, find) => {
    const text = readFileSync(join(ROOT, file), "utf8");
    expect(text.split(find)).toHaveLength(2);
  },
);
