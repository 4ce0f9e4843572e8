/** Writes what is generated of the documents: `npm run docs`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { generatedDocuments, ROOT } from "./documents.ts";

for (const [path, text] of generatedDocuments()) writeFileSync(join(ROOT, path), text);
