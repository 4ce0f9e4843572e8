/**
 * Makes manual pages with the `man` macros of roff: one for the whole command, one for each command at the top level, and one for each
 * program.
 */
import {
  PROGRAM_OPTIONS,
  PROGRAM_SUMMARIES,
  programCommand,
  variableOf,
  type Role,
} from "@meridian/options";
import { SERVER_EXIT, SERVER_EXIT_MEANINGS } from "@meridian/supervision";

import { EXIT, EXIT_MEANINGS } from "../exit-codes.ts";
import { everyCommand, treeOf, type CommandTree } from "./command-tree.ts";

/** The environment variables that stand for options. */
const VARIABLES: readonly (readonly [name: string, meaning: string])[] = [
  ["MERIDIAN_DIRECTORY", "The directories, for `--directory`."],
  ["MERIDIAN_CONTEXT", "The context, for `--context`."],
  ["MERIDIAN_CA", "A file with authorities to trust, for `--ca`."],
  ["MERIDIAN_TOKEN", "The token to show, where no `--token-file` is given."],
  ["MERIDIAN_LAT, MERIDIAN_LON", "Where you are, for `--lat` and `--lon`."],
];

const ROLES: readonly Role[] = ["directory", "region"];

/** The options of each program as a service. */
const OPTION_FILES: Readonly<Record<Role, string>> = {
  directory: "/etc/meridian/directory.env",
  region: "/etc/meridian/region-<id>.env",
};

/** The text of each page by its file name: `meridian.1`, `meridian-get.1`, … */
export function manPagesOf(program: CommandTree, version: string): ReadonlyMap<string, string> {
  const commands = program.commands.filter(({ path }) => path.at(-1) !== "help");
  return new Map([
    ["meridian.1", programPage({ ...program, commands }, version)],
    ...commands.map((command): [string, string] => [
      `${command.path.join("-")}.1`,
      commandPage(command, version),
    ]),
    ...ROLES.map((role): [string, string] => [`meridian-${role}.1`, serverPage(role, version)]),
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
    exitStatus(EXIT, EXIT_MEANINGS),
    seeAlso([
      ...program.commands.map(({ path }) => path.join("-")),
      ...ROLES.map((role) => `meridian-${role}`),
    ]),
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
    exitStatus(EXIT, EXIT_MEANINGS),
    seeAlso(["meridian"]),
  ].join("");
}

/** The page of a program that serves. */
function serverPage(role: Role, version: string): string {
  const options = PROGRAM_OPTIONS[role];
  const name = `meridian-${role}`;
  const tree = treeOf(programCommand({ name, summary: PROGRAM_SUMMARIES[role], options }));
  const variables = options.map((row) =>
    item(bold(variableOf(row.name)), `Stands for \`--${row.name}\`.`),
  );
  const file = item(
    bold(OPTION_FILES[role]),
    "The options of the service, as environment variables; `meridian service install` writes it.",
  );
  const other = ROLES.filter((each) => each !== role).map((each) => `meridian-${each}`);
  return [
    head(tree, version),
    section("SYNOPSIS", synopsis(tree)),
    section("DESCRIPTION", paragraph(tree.description)),
    optionsOf(tree),
    section("ENVIRONMENT", ...variables),
    section("FILES", file),
    exitStatus(SERVER_EXIT, SERVER_EXIT_MEANINGS),
    seeAlso(["meridian", ...other]),
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

function exitStatus<Name extends string>(
  codes: Readonly<Record<Name, number>>,
  meanings: Readonly<Record<Name, string>>,
): string {
  const names = Object.keys(codes) as Name[];
  const items = names.map((name) => item(bold(String(codes[name])), meanings[name]));
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
