/** Turns a table of options into a command of `commander`, which parses flags, formats usage texts and finds similar names. */
import { Command, CommanderError, Option } from "commander";

import { variableOf, type OptionRow, type OptionTable } from "./option-row.ts";
import { placeholderOf } from "./read-value.ts";

/** What the usage text of a program is made from. */
export interface ProgramDescription {
  /** The command as a user types it, such as `meridian-directory`. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  readonly options: OptionTable;
}

/** The text that `--help` prints, without a last line break. */
export function formatUsage(program: ProgramDescription): string {
  return programCommand(program).configureHelp({ helpWidth: 100 }).helpInformation().trimEnd();
}

/** A program as a command that describes itself, for usage texts and manual pages. */
export function programCommand({ name, summary, options }: ProgramDescription): Command {
  return commandOf(options)
    .name(name)
    .usage("[options]")
    .description(`${summary} A flag goes before the environment variable that stands for it.`)
    .version("", "--version", "Prints the version.")
    .helpOption("-h, --help", "Prints this text.");
}

/** The options of a table that a command line has, and the other arguments. */
export interface Arguments {
  /** Each option's values in their order; null for a flag without one. */
  readonly values: ReadonlyMap<string, readonly (string | null)[]>;
  readonly unknownFlags: readonly string[];
  /** Arguments that are neither an option nor the value of one. */
  readonly strays: readonly string[];
}

/** Splits a command line into options with their values and other arguments. */
export function readArguments(table: OptionTable, argv: readonly string[]): Arguments {
  const values = new Map<string, (string | null)[]>();
  const command = commandOf(table);
  for (const { name } of table) {
    command.on(`option:${name}`, (value: string | null) => {
      values.set(name, [...(values.get(name) ?? []), value]);
    });
  }
  const last = argv.at(-1);
  const isFlag = table.some(({ name, kind }) => kind !== "switch" && last === `--${name}`);
  // A flag in the last place has no value, which the parser takes for the end of everything.
  const { operands, unknown } = command.parseOptions([...argv, ...(isFlag ? [""] : [])]);
  const unknownFlags = unknown.filter((argument) => argument.startsWith("-"));
  const strays = argv.includes("--") ? ["--", ...operands] : operands;
  return { values, unknownFlags: unknownFlags.map((flag) => flag.replace(/=.*/s, "")), strays };
}

/** The flag of the table that is most like an unknown one, if any is. */
export function similarFlag(table: OptionTable, flag: string): string | undefined {
  try {
    commandOf(table)
      .exitOverride()
      .configureOutput({ writeErr: () => {} })
      .parse([flag], {
        from: "user",
      });
  } catch (cause) {
    if (cause instanceof CommanderError) return /Did you mean (--[^?]+)\?/.exec(cause.message)?.[1];
    throw cause;
  }
  return undefined;
}

function commandOf(table: OptionTable): Command {
  const command = new Command().helpOption(false);
  for (const row of table) command.addOption(optionOf(row));
  return command;
}

function optionOf(row: OptionRow): Option {
  const value = placeholderOf(row);
  const argument = row.kind === "switch" ? `[${value}]` : `<${value}>`;
  const must = row.required === true ? " (required)" : "";
  const option = new Option(`--${row.name} ${argument}`, `${row.description}${must}`);
  return option.default(row.default).env(variableOf(row.name));
}
