/** Makes manual pages with the `man` macros of roff: one for the whole command, and one for each command at the top level. */
import { EXIT, EXIT_MEANINGS } from "../exit-codes.ts";
import { everyCommand, type CommandTree } from "./command-tree.ts";

/** The environment variables that stand for options. */
const VARIABLES: readonly (readonly [name: string, meaning: string])[] = [
  ["MERIDIAN_DIRECTORY", "The directories, for `--directory`."],
  ["MERIDIAN_CONTEXT", "The context, for `--context`."],
  ["MERIDIAN_CA", "A file with authorities to trust, for `--ca`."],
  ["MERIDIAN_TOKEN", "The token to show, where no `--token-file` is given."],
  ["MERIDIAN_LAT, MERIDIAN_LON", "Where you are, for `--lat` and `--lon`."],
];

/** The text of each page by its file name: `meridian.1`, `meridian-get.1`, … */
export function manPagesOf(program: CommandTree, version: string): ReadonlyMap<string, string> {
  const commands = program.commands.filter(({ path }) => path.at(-1) !== "help");
  return new Map([
    ["meridian.1", programPage({ ...program, commands }, version)],
    ...commands.map((command): [string, string] => [
      `${command.path.join("-")}.1`,
      commandPage(command, version),
    ]),
  ]);
}

function programPage(program: CommandTree, version: string): string {
  const commands = program.commands.map(({ path, description }) =>
    item(bold(path.slice(1).join(" ")), description),
  );
  return [
    head(program, version),
    section("SYNOPSIS", synopsis(program)),
    section("COMMANDS", ...commands),
    optionsOf(program),
    section("ENVIRONMENT", ...VARIABLES.map(([name, meaning]) => item(bold(name), meaning))),
    exitStatus(),
    seeAlso(program.commands.map(({ path }) => path.join("-"))),
  ].join("");
}

function commandPage(command: CommandTree, version: string): string {
  const under = everyCommand(command).slice(1);
  return [
    head(command, version),
    section("SYNOPSIS", ...(under.length === 0 ? [command] : under).map(synopsis)),
    section("DESCRIPTION", paragraph(command.description)),
    argumentsOf(command),
    optionsOf(command),
    ...under.map((each) =>
      [
        `.SH ${roff(each.path.slice(1).join(" ").toUpperCase())}\n`,
        paragraph(each.description),
        argumentsOf(each, ".SS"),
        optionsOf(each, ".SS"),
      ].join(""),
    ),
    exitStatus(),
    seeAlso(["meridian"]),
  ].join("");
}

function head({ path, description }: CommandTree, version: string): string {
  const name = path.join("-");
  const [summary = ""] = description.split(/[.;:]\s|\.$/);
  return [
    `.TH ${name.toUpperCase()} 1 "" "Meridian ${roff(version)}" "Meridian"\n`,
    section("NAME", `${roff(name)} \\- ${roff(summary)}\n`),
  ].join("");
}

function synopsis({ path, usage }: CommandTree): string {
  return `.PP\n${bold(path.join(" "))} ${roff(usage)}\n`;
}

function argumentsOf({ arguments: given }: CommandTree, macro = ".SH"): string {
  if (given.length === 0) return "";
  const items = given.map(({ term, description }) => item(bold(term), description));
  return `${macro} ARGUMENTS\n${items.join("")}`;
}

function optionsOf({ options }: CommandTree, macro = ".SH"): string {
  if (options.length === 0) return "";
  const items = options.map(({ term, description, choices }) => {
    const values = choices.length === 0 ? "" : ` (one of ${choices.join(", ")})`;
    return item(bold(term), description + values);
  });
  return `${macro} OPTIONS\n${items.join("")}`;
}

function exitStatus(): string {
  const codes = Object.entries(EXIT) as readonly (readonly [keyof typeof EXIT, number])[];
  const items = codes.map(([name, code]) => item(bold(String(code)), EXIT_MEANINGS[name]));
  return section("EXIT STATUS", ...items);
}

function seeAlso(names: readonly string[]): string {
  const pages = names.map((name) => `${bold(name)}(1)`);
  return section("SEE ALSO", `${pages.join(",\n")}\n`);
}

function section(title: string, ...parts: readonly string[]): string {
  return `.SH ${title}\n${parts.join("")}`;
}

function paragraph(text: string): string {
  return `.PP\n${roff(text)}\n`;
}

function item(term: string, text: string): string {
  return `.TP\n${term}\n${roff(text)}\n`;
}

function bold(text: string): string {
  return `\\fB${roff(text)}\\fR`;
}

/** Escapes what roff would interpret: backslashes, hyphens, and a dot or quote at the beginning of a line. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\(rs")
    .replaceAll("-", "\\-")
    .replaceAll("`", "")
    .replace(/^(?=[.'])/, "\\&");
}
