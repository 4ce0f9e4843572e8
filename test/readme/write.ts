/** Writes into the README what is generated: `npm run docs`. */
import { readFileSync, writeFileSync } from "node:fs";

import { withOptions } from "./options-tables.ts";

const file = new URL("../../README.md", import.meta.url);
writeFileSync(file, withOptions(readFileSync(file, "utf8")));
