/** Writes into CONFIGURATION.md what is generated: `npm run docs`. */
import { readFileSync, writeFileSync } from "node:fs";

import { withOptions } from "./options-tables.ts";

const file = new URL("../../packages/CONFIGURATION.md", import.meta.url);
writeFileSync(file, withOptions(readFileSync(file, "utf8")));
