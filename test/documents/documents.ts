import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { PROGRAM_OPTIONS } from "@meridian/options";
import { DIRECTORY_API, REGION_API, routesOf } from "@meridian/protocol/http-api";

import { withAccess } from "./access-table.ts";
import { clusterJsonSchema } from "./cluster-schema.ts";
import { withExitCodes } from "./exit-tables.ts";
import { DOCS_STYLE } from "./docs-style.ts";
import { apiPageOf, openApiOf, type ApiProgram } from "./openapi.ts";
import { withOptions } from "./options-tables.ts";

/** The folder of the repository. */
export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

const CLUSTER_SCHEMA = "packages/cluster-file/cluster-file.schema.json";
const SECURITY = "packages/SECURITY.md";
const APIS = { region: REGION_API, directory: DIRECTORY_API };
const EXIT_CODES = "packages/EXIT-CODES.md";
const CONFIGURATION = "packages/CONFIGURATION.md";

/** Every generated document, by its path from the root. */
export function generatedDocuments(): ReadonlyMap<string, string> {
  const documents = new Map([
    [CONFIGURATION, withOptions(readDocument(CONFIGURATION), PROGRAM_OPTIONS)],
    [EXIT_CODES, withExitCodes(readDocument(EXIT_CODES))],
    [SECURITY, withAccess(readDocument(SECURITY), APIS)],
    [CLUSTER_SCHEMA, clusterJsonSchema(PROGRAM_OPTIONS)],
  ]);
  const { version } = JSON.parse(readDocument("packages/protocol/package.json")) as {
    readonly version: string;
  };
  const programs: readonly (readonly [name: string, program: ApiProgram])[] = [
    ["region", { title: "Meridian region", version, routes: routesOf(REGION_API) }],
    ["directory", { title: "Meridian directory", version, routes: routesOf(DIRECTORY_API) }],
  ];
  for (const [name, program] of programs) {
    const folder = `packages/protocol/openapi/${name}`;
    documents.set(`${folder}/openapi.json`, openApiOf(program));
    documents.set(`${folder}/docs.html`, apiPageOf(program));
    documents.set(`${folder}/docs.css`, DOCS_STYLE);
  }
  return documents;
}

/** The text of a document, by its path from the root. */
export function readDocument(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
}
