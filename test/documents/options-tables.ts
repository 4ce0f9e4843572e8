import { DIRECTORY_FLAGS } from "@meridian/directory";
import { REGION_FLAGS } from "@meridian/region";
import type { OptionDeclaration, OptionTable } from "@meridian/runtime";

const BEGIN = "<!-- options: written by `npm run docs` -->";
const END = "<!-- end of options -->";

/** CONFIGURATION.md with the tables of options as the programs declare them. */
export function withOptions(document: string): string {
  const start = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (start < 0 || end < start)
    throw new Error("Expected the marks of the options in CONFIGURATION.md");
  const tables = `${table("region", REGION_FLAGS)}\n${table("directory", DIRECTORY_FLAGS)}`;
  return `${document.slice(0, start)}${BEGIN}\n\n${tables}\n${document.slice(end)}`;
}

function table(program: string, options: OptionTable): string {
  const rows = [
    [`\`meridian-${program}\``, "default", "meaning"],
    ...options.map((option) => [`\`--${option.name}\``, defaultOf(option), meaningOf(option)]),
  ];
  const widths = [0, 1, 2].map((column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => (cells[column] ?? "").padEnd(width)).join(" | ")} |\n`;
  const [head = [], ...body] = rows;
  const rule = widths.map((width) => "-".repeat(width));
  return [head, rule, ...body].map(line).join("");
}

function defaultOf(option: OptionDeclaration): string {
  if (option.required) return "must be given";
  return option.default === undefined || option.default === null ? "" : `\`${option.default}\``;
}

function meaningOf(option: OptionDeclaration): string {
  if (option.type !== "choice") return option.description;
  const choices = option.choices.map((choice) => `\`${choice}\``).join(", ");
  return `${option.description} One of ${choices}.`;
}
