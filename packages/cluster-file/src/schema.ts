/**
 * The schema of a cluster file, made from the tables of the programs' options. A message of a schema completes a sentence that
 * begins with "Expected `regions[0].lat` to be"; the message of a reader of text is a whole sentence.
 */
import {
  camelCase,
  listed,
  PROGRAM_OPTIONS,
  rangeOf,
  readText,
  type OptionRow,
  type OptionTable,
  type ProgramTables,
  type Role,
} from "@meridian/options";
import { parseUrl } from "@meridian/protocol";
import * as v from "valibot";

type Schema = v.GenericSchema;

/** The version of the file's format. */
export const VERSION = 1;

/** The member of the file that gives an option. */
export function memberOf({ name, file }: OptionRow): string {
  return camelCase(file === "log" ? name.replace(/^log-/, "") : name);
}

/** The schemas of a cluster file and of the entries in it. */
export interface ClusterSchemas extends Readonly<Record<Role, Schema>> {
  readonly file: Schema;
}

const known = new WeakMap<ProgramTables, ClusterSchemas>();

/** The schemas of cluster files for the options of these tables. */
export function clusterSchemas(tables: ProgramTables = PROGRAM_OPTIONS): ClusterSchemas {
  const made = known.get(tables) ?? makeSchemas(tables);
  known.set(tables, made);
  return made;
}

function makeSchemas(tables: ProgramTables): ClusterSchemas {
  const all = [...tables.directory, ...tables.region];
  const directory = entrySchema("directory", tables);
  const region = entrySchema("region", tables);
  const file = objectOf({
    version: described(v.optional(v.literal(VERSION)), "The version of the file's format."),
    ...membersOf(all, "cluster"),
    directories: described(
      listOf(directory),
      "The directories in order of priority, at least one.",
    ),
    regions: described(listOf(region), "The regional nodes, at least one."),
    limits: limitsOf(all),
    log: described(v.optional(objectOf(membersOf(all, "log"))), "How every process logs."),
  });
  return { file, directory, region };
}

function entrySchema(role: Role, tables: ProgramTables): Schema {
  const members = { ...membersOf(tables[role], "process"), limits: limitsOf(tables[role]) };
  return objectOf(role === "directory" ? { ...members, url: DIRECTORY_URL } : members);
}

const DIRECTORY_URL: Schema = described(
  v.optional(textOf(parseUrl)),
  "Where others reach it; without it, made of host and port.",
);

function limitsOf(table: OptionTable): Schema {
  const what = "Bounds; those of a process go before those of the cluster.";
  return described(v.optional(objectOf(membersOf(table, "limits"))), what);
}

function described(schema: Schema, description: string): Schema {
  return v.pipe(schema, v.description(description));
}

function membersOf(table: OptionTable, place: OptionRow["file"]): Record<string, Schema> {
  const members: Record<string, Schema> = {};
  for (const row of table) {
    if (row.file !== place) continue;
    const value = described(valueSchema(row), row.description);
    members[memberOf(row)] = row.requiredInFile === true ? value : v.optional(value);
  }
  return members;
}

/** The schema of an object with these members and no others, except a comment under `//`. */
function objectOf(members: Readonly<Record<string, Schema>>): Schema {
  const names = Object.keys(members).map((name) => `\`${name}\``);
  return v.objectWithRest(
    { ...members, "//": v.optional(v.unknown()) },
    v.never(`with members out of ${names.join(", ")}`),
    "an object",
  );
}

function listOf(item: Schema): Schema {
  const what = "a list of at least one";
  return v.pipe(v.array(item, what), v.minLength(1, what));
}

function textOf(read: (text: string) => unknown): Schema {
  return v.pipe(v.string("text"), v.nonEmpty("text"), readable(read));
}

/** Checks a text with the reader of the program's flag. A list of texts is joined with commas first, as the flag has them. */
function readable<T>(read: (text: string) => unknown): v.RawCheckAction<T> {
  return v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    try {
      read([dataset.value].flat().join(","));
    } catch (cause) {
      addIssue({ message: cause instanceof Error ? cause.message : String(cause) });
    }
  });
}

function valueSchema(row: OptionRow): Schema {
  switch (row.kind) {
    case "switch":
      return v.boolean("`true` or `false`");
    case "choice":
      return v.picklist(row.choices, listed(row.choices));
    case "integer":
    case "number":
      return numberSchema(row);
    case "urls":
    case "origins":
    case "hosts":
      return listSchema((text) => readText(row, text));
    case "text":
    case "name":
    case "duration":
    case "horizon":
    case "address":
    case "url":
    case "base":
      return textOf((text) => readText(row, text));
  }
}

function numberSchema(row: Extract<OptionRow, { readonly min: number }>): Schema {
  const min = row.minInFile ?? row.min;
  const range = rangeOf(row, min);
  const within = v.pipe(v.number(range), v.minValue(min, range), v.maxValue(row.max, range));
  return row.kind === "integer" ? v.pipe(within, v.integer(range)) : within;
}

function listSchema(read: (text: string) => unknown): Schema {
  const what = "a list of at least one";
  return v.pipe(v.array(textOf(read), what), v.minLength(1, what), readable(read));
}
