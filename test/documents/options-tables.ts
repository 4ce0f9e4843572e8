import { memberOf } from "@meridian/cluster-file";
import type { OptionRow, OptionTable, ProgramTables, Role } from "@meridian/options";

/** CONFIGURATION.md with the tables of options, and the members of the cluster file, as the programs declare them. */
export function withOptions(document: string, tables: ProgramTables): string {
  const options = `${optionsTable("region", tables)}\n${optionsTable("directory", tables)}`;
  return withPart(withPart(document, "options", options), "members", membersTable(tables));
}

/** The document with what stands between the marks of a part replaced. */
export function withPart(document: string, part: string, text: string): string {
  const begin = `<!-- ${part}: written by \`npm run docs\` -->`;
  const start = document.indexOf(begin);
  const end = document.indexOf(`<!-- end of ${part} -->`);
  if (start < 0 || end < start) throw new Error(`Expected the marks of \`${part}\``);
  return `${document.slice(0, start)}${begin}\n\n${text}\n${document.slice(end)}`;
}

function optionsTable(role: Role, tables: ProgramTables): string {
  return tableOf([
    [`\`meridian-${role}\``, "default", "meaning", "cluster file", "SIGHUP"],
    ...tables[role].map((row) => [
      `\`--${row.name}\``,
      defaultOf(row),
      meaningOf(row),
      placeOf(row, role),
      { option: "changes it", contents: "reads the file again", none: "" }[row.reloads ?? "none"],
    ]),
  ]);
}

function defaultOf(row: OptionRow): string {
  if (row.required) return "must be given";
  const { default: fallback } = row;
  return fallback === undefined || typeof fallback === "object" ? "" : `\`${fallback}\``;
}

function meaningOf(row: OptionRow): string {
  if (row.kind !== "choice") return row.description;
  const choices = row.choices.map((choice) => `\`${choice}\``).join(", ");
  return `${row.description} One of ${choices}.`;
}

function placeOf(row: OptionRow, role: Role): string {
  if (row.file === null) return "";
  const list = role === "region" ? "regions[]." : "directories[].";
  const owner = { process: list, limits: "limits.", log: "log.", cluster: "" }[row.file];
  return `\`${owner}${memberOf(row)}\``;
}

function membersTable({ directory, region }: ProgramTables): string {
  const both = [...directory, ...region];
  const only = (some: OptionTable, others: OptionTable): string =>
    membersOf(
      some.filter((row) => !others.some(({ name }) => name === row.name)),
      "limits",
    );
  const shared = directory.filter(({ name }) => region.some((row) => row.name === name));
  return tableOf([
    ["member", "meaning"],
    ["`version`", "the version of the file's format: 1, also where it is left out"],
    [membersOf(both, "cluster"), "the cluster's name"],
    [
      "`directories`",
      `at least one, in order of priority: ${membersOf(directory, "process")}, \`url\` (where others reach it), \`limits\``,
    ],
    ["`regions`", `at least one: ${membersOf(region, "process")}, \`limits\``],
    [
      "`limits`",
      `for all processes, unless a process has its own: ${membersOf(shared, "limits")}; of directories ${only(directory, region)}; of regions ${only(region, directory)}`,
    ],
    ["`log`", membersOf(both, "log")],
    ["`//`", "a comment, in any object (for JSON, which has no others)"],
  ]);
}

function membersOf(rows: OptionTable, place: OptionRow["file"]): string {
  const names = rows.filter(({ file }) => file === place).map((row) => `\`${memberOf(row)}\``);
  return [...new Set(names)].join(", ");
}

export function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => (cells[column] ?? "").padEnd(width)).join(" | ")} |\n`;
  const [head = [], ...body] = rows;
  const rule = widths.map((width) => "-".repeat(width));
  return [head, rule, ...body].map(line).join("");
}
