/** The command line as data, from which completion and manual pages are made. */
import type { Command, Option } from "commander";

/** An option of a command. */
export interface TreeOption {
  /** The option with its argument, such as `--limit <count>`. */
  readonly term: string;
  /** The flag, such as `--limit`. */
  readonly long: string;
  readonly description: string;
  readonly takesValue: boolean;
  /** The allowed values; empty if any value is allowed. */
  readonly choices: readonly string[];
  /** Whether the value is the path of a file or a folder. */
  readonly isPath: boolean;
}

/** A command and its subcommands. */
export interface CommandTree {
  /** The words of the command, such as `["meridian", "token", "create"]`. */
  readonly path: readonly string[];
  readonly description: string;
  /** What follows the words, such as `[options] <key>`. */
  readonly usage: string;
  /** The arguments that have a description. */
  readonly arguments: readonly { readonly term: string; readonly description: string }[];
  readonly options: readonly TreeOption[];
  readonly commands: readonly CommandTree[];
}

/** The tree of a command with all its subcommands. `before` are the words before its name. */
export function treeOf(command: Command, before: readonly string[] = []): CommandTree {
  const help = command.createHelp();
  const path = [...before, command.name()];
  return {
    path,
    description: command.description(),
    usage: command.usage(),
    arguments: help.visibleArguments(command).map((argument) => ({
      term: help.argumentTerm(argument),
      description: argument.description,
    })),
    options: help.visibleOptions(command).map(optionOf),
    // Every command with subcommands has a `help`. The tree has only that of the program.
    commands: help
      .visibleCommands(command)
      .filter((each) => command.parent === null || command.commands.includes(each))
      .map((each) => treeOf(each, path)),
  };
}

/** All commands of a tree, each before its subcommands. */
export function everyCommand(tree: CommandTree): readonly CommandTree[] {
  return [tree, ...tree.commands.flatMap(everyCommand)];
}

function optionOf(option: Option): TreeOption {
  const { flags, long, description, required, optional, argChoices } = option;
  return {
    term: flags,
    long: long ?? flags,
    description,
    takesValue: required || optional,
    choices: argChoices ?? [],
    isPath: /<(file|folder|directory)>/.test(flags) && long !== "--directory",
  };
}
