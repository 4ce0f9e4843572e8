/** The commands about the command itself: contexts, completion, manual pages. */
import { Argument, type Command } from "commander";

import type * as Contexts from "./commands/context.ts";
import type { ContextFlags } from "./commands/context.ts";
import type { CliIo } from "./io.ts";
import { SHELLS, type Shell } from "./manual/completion.ts";

/** Adds the commands to the program. `done` gets the exit code of the command that ran. */
export function addManualCommands(
  program: Command,
  io: CliIo,
  done: (exitCode: number) => void,
): void {
  addContext(program, io, done);
  program
    .command("completion")
    .description("Writes a completion script for a shell to stdout.")
    .addArgument(new Argument("<shell>").choices(SHELLS))
    .action(async (shell: Shell) => {
      const { completion } = await import("./commands/manual.ts");
      done(completion(shell, program, io));
    });
  program
    .command("man")
    .description("Writes the manual pages into a folder.")
    .argument("<folder>")
    .action(async (folder: string) => {
      const { man } = await import("./commands/manual.ts");
      done(man(folder, program, io));
    });
}

function addContext(program: Command, io: CliIo, done: (exitCode: number) => void): void {
  const load = (): Promise<typeof Contexts> => import("./commands/context.ts");
  const context = program
    .command("context")
    .description(
      "Manages contexts: names for clusters, with their directories, authority and token file.",
    );
  context
    .command("add")
    .description(
      "Adds a context. The paths of `--ca` and `--token-file` are saved with it. The first context becomes the current one.",
    )
    .argument("<name>")
    .requiredOption("--directory <url>", "its directory, or several with commas")
    .action(async (name: string, _: unknown, command: Command) =>
      done((await load()).add(name, command.optsWithGlobals<ContextFlags>(), io)),
    );
  context
    .command("use")
    .description("Makes a context the current one.")
    .argument("<name>")
    .action(async (name: string) => done((await load()).use(name, io)));
  context
    .command("remove")
    .description("Removes a context.")
    .argument("<name>")
    .action(async (name: string) => done((await load()).remove(name, io)));
  context
    .command("list")
    .description(
      "Lists the contexts, with a star at the current one; shows the paths of token files, never tokens.",
    )
    .option("--json", "for machines")
    .action(async (flags: ContextFlags) => done((await load()).list(flags, io)));
}
