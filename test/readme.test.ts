import { readFileSync } from "node:fs";

import { expect, it } from "vitest";

import { withOptions } from "./readme/options-tables.ts";

it("the README's options are those of the programs", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  expect(withOptions(readme)).toBe(readme);
});
