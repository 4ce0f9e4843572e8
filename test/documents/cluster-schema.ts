import { clusterSchemas } from "@meridian/cluster-file";
import type { ProgramTables } from "@meridian/options";
import { toJsonSchema } from "@valibot/to-json-schema";

/** The JSON Schema of the cluster file, for editors: indented, with a line break at its end. */
export function clusterJsonSchema(tables: ProgramTables): string {
  const schema = toJsonSchema(clusterSchemas(tables).file, {
    target: "draft-07",
    typeMode: "input",
    // Texts that the programs read have rules that no JSON Schema can say.
    errorMode: "ignore",
  });
  return `${JSON.stringify({ title: "Meridian cluster file", ...schema }, null, 2)}\n`;
}
