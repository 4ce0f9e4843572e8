/** The command line as data: what completion and the manual pages are made from. */
import type { Command, Option } from "commander";

/** An option of a command. */
export interface TreeOption {
  /** As it is written: `--limit <count>`. */
  readonly term: string;
  /** `--limit`. */
  readonly long: string;
  readonly description: string;
  readonly takesValue: boolean;
  /** The values that there are; none where any may be given. */
  readonly choices: readonly string[];
  /** Whether its value names a file or a folder. */
  readonly isPath: boolean;
}

/** A command and those under it. */
export interface CommandTree {
  /** The words that call it: `["meridian", "token", "create"]`. */
  readonly path: readonly string[];
  readonly description: string;
  /** What comes after its words: `[options] <key>`. */
  readonly usage: string;
  /** Its arguments that say more than their name does. */
  readonly arguments: readonly { readonly term: string; readonly description: string }[];
  readonly options: readonly TreeOption[];
  readonly commands: readonly CommandTree[];
}

/** The tree of a command; of the program, everything. */
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
    // Every command with others under it has a `help` of its own: that of the program does.
    commands: help
      .visibleCommands(command)
      .filter((each) => command.parent === null || command.commands.includes(each))
      .map((each) => treeOf(each, path)),
  };
}

/** Every command of a tree, the outer ones first. */
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
