/** The commands about the command itself: contexts, completion, manual pages. */
import { Argument, type Command } from "commander";

import type * as Contexts from "./commands/context.ts";
import type { ContextFlags } from "./commands/context.ts";
import type { CliIo } from "./io.ts";
import { SHELLS, type Shell } from "./manual/completion.ts";

/** Adds them to the program. `done` is told the exit code of the one that ran. */
export function addManualCommands(
  program: Command,
  io: CliIo,
  done: (exitCode: number) => void,
): void {
  addContext(program, io, done);
  program
    .command("completion")
    .description("Writes a script that has a shell complete this command to stdout.")
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
      "Names clusters, so that their directories, authorities and tokens need not be said again.",
    );
  context
    .command("add")
    .description(
      "Names a cluster; with `--ca` and `--token-file`, whose paths are kept. The first one is used from then on.",
    )
    .argument("<name>")
    .requiredOption("--directory <url>", "its directory, or several with commas")
    .action(async (name: string, _: unknown, command: Command) =>
      done((await load()).add(name, command.optsWithGlobals<ContextFlags>(), io)),
    );
  context
    .command("use")
    .description("Has commands go to a cluster from now on.")
    .argument("<name>")
    .action(async (name: string) => done((await load()).use(name, io)));
  context
    .command("remove")
    .description("Forgets a name.")
    .argument("<name>")
    .action(async (name: string) => done((await load()).remove(name, io)));
  context
    .command("list")
    .description(
      "Lists them, with a star at the one in use. Of tokens it shows where they are, and nothing else.",
    )
    .option("--json", "for machines")
    .action(async (flags: ContextFlags) => done((await load()).list(flags, io)));
}
