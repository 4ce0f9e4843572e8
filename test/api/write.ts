/** Writes the reports of what the published packages export: `npm run api`, after a public name has changed. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "@meridian/harness";

import { publishedFolders } from "./published.ts";
import { apiReports } from "./reports.ts";

for (const { file, text } of apiReports(ROOT, publishedFolders())) {
  writeFileSync(join(ROOT, file), text);
  console.log(file);
}
