/** Defines the command line: the commands, and for each the module that runs it, which is loaded only when it is used. */
import { MeridianError } from "@meridian/protocol";
import { Command, InvalidArgumentError, Option } from "commander";

import type * as Cluster from "./commands/cluster.ts";
import type { NearestFlags } from "./commands/cluster.ts";
import type * as Config from "./commands/config.ts";
import type { CheckFlags } from "./commands/config.ts";
import type { CommandFlags } from "./commands/entries.ts";
import type { LogKind } from "./dev/dev-log.ts";
import type { DevOptions } from "./dev/run-dev.ts";
import { chosenContext, type ContextChoice } from "./contexts.ts";
import { directory } from "./command-options.ts";
import { addEntryCommands } from "./entry-commands.ts";
import { EXIT } from "./exit-codes.ts";
import type { CliIo } from "./io.ts";
import { addManualCommands } from "./manual-commands.ts";
import { addOperatorCommands } from "./operator-commands.ts";
import { addSecretCommands } from "./secret-commands.ts";
import { addServiceCommands } from "./service-commands.ts";
import { show, trust } from "./trust.ts";
import { programVersion } from "./version.ts";

/** Makes the program. `done` gets the exit code of the command that ran. */
export function makeProgram(given: CliIo, done: (exitCode: number) => void): Command {
  // The values of the context are used for variables that are not set.
  const env = { ...given.env };
  const io: CliIo = { ...given, env };
  const program = new Command("meridian")
    .description("Reads, writes and operates a Meridian cluster, or runs one on this machine.")
    .helpCommand("help [command]", "prints the commands, or the help of one command")
    .version(programVersion(), "--version", "display the version")
    .option(
      "--ca <file>",
      "file with the certificates of the authorities to trust over TLS (MERIDIAN_CA; default: those of the platform)",
    )
    .option(
      "--token-file <file>",
      "file with the token to send (or the token itself in MERIDIAN_TOKEN)",
    )
    .option("--context <name>", "use the cluster of this context (MERIDIAN_CONTEXT)")
    .hook("preAction", (_, command) => address(command, env))
    .showHelpAfterError("(`meridian --help` tells what there is)")
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
    })
    .exitOverride();
  addEntryCommands(program, io, done);
  addClusterCommands(program, io, done);
  addOperatorCommands(program, io, done);
  addConfig(program, io, done);
  addSecretCommands(program, io, done);
  addDev(program, io, done);
  addServiceCommands(program, io, done);
  addManualCommands(program, io, done);
  program
    .command("version")
    .description("Prints the version.")
    .action(() => {
      io.stdout.write(`${programVersion()}\n`);
      done(EXIT.ok);
    });
  return program;
}

/** Sets the variables by which a command finds its cluster, trusts its certificates and sends a token. */
async function address(command: Command, env: Record<string, string | undefined>): Promise<void> {
  const flags = command.optsWithGlobals<
    ContextChoice & { readonly ca?: string; readonly tokenFile?: string }
  >();
  const takes = (flag: string): boolean => command.options.some(({ long }) => long === flag);
  // A command with an own option `--token-file` passes the path on to a program, and sends no token.
  if (takes("--token-file")) return;
  // The `--directory` of `context add` belongs to the new context.
  const isForContexts = takes("--directory") && command.parent?.name() !== "context";
  if (flags.context !== undefined && !isForContexts) {
    const said = `Expected no \`--context\` with \`${command.name()}\`, which asks no cluster`;
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  const context = isForContexts ? chosenContext(flags, env) : undefined;
  if (context !== undefined) env["MERIDIAN_DIRECTORY"] = context.directory;
  const { ca = env["MERIDIAN_CA"] || context?.ca } = flags;
  if (ca !== undefined) await trust(ca);
  const given = env["MERIDIAN_TOKEN"];
  await show(flags.tokenFile ?? (given ? undefined : context?.tokenFile), given);
}

function addClusterCommands(program: Command, io: CliIo, done: (exitCode: number) => void): void {
  const load = (): Promise<typeof Cluster> => import("./commands/cluster.ts");
  directory(program.command("nearest"))
    .description("Lists the ready nodes nearest to a place.")
    .option("--lat <degrees>", "latitude (MERIDIAN_LAT)")
    .option("--lon <degrees>", "longitude (MERIDIAN_LON)")
    .option("--limit <count>", "how many, 1 to 100 (default: 3)")
    .option("--exclude <ids>", "ids to leave out, with commas between them")
    .action(async (flags: NearestFlags) => done(await (await load()).nearest(flags, io)));
  const nodes = directory(program.command("nodes"))
    .description("Lists all nodes, missing ones too, or shows one node.")
    .argument("[id]")
    .action(async (id: string | undefined, flags: CommandFlags) =>
      done(await (await load()).nodes(id, flags, io)),
    );
  directory(nodes.command("forget"))
    .description("Forgets a node that is gone for good, so that it no longer counts as missing.")
    .argument("<id>")
    .action(async (id: string, _: unknown, command: Command) =>
      done(await (await load()).forget(id, command.optsWithGlobals(), io)),
    );
  directory(program.command("status"))
    .description("Prints the state of the directory, or of a node.")
    .option("--node <id|url>", "of this node")
    .action(async (flags: CommandFlags) => {
      const { status } = await import("./commands/status.ts");
      done(await status(flags, io));
    });
}

function addConfig(program: Command, io: CliIo, done: (exitCode: number) => void): void {
  const load = (): Promise<typeof Config> => import("./commands/config.ts");
  const config = program
    .command("config")
    .description("Works with cluster files, which hold the options of all processes of a cluster.");
  config
    .command("check")
    .description("Prints a summary of a cluster file, or all of its errors (exit code 2).")
    .argument("<file>")
    .option("--json", "for machines")
    .action(async (file: string, flags: CheckFlags) => done((await load()).check(file, flags, io)));
  config
    .command("example")
    .description("Writes an example of a cluster file to stdout.")
    .action(async () => done((await load()).example(io)));
  config
    .command("schema")
    .description("Writes the JSON Schema of cluster files to stdout, for editors.")
    .action(async () => done((await load()).schema(io)));
}

const LOGS: readonly LogKind[] = ["sqlite", "nats"];

function addDev(program: Command, io: CliIo, done: (exitCode: number) => void): void {
  program
    .command("dev")
    .description("Runs a directory and five regions on this machine until Ctrl-C.")
    .option(
      "--directories <count>",
      "how many directories, which follow each other (default: 1; 2 with `--log nats`, which both serve regions)",
    )
    .option("--regions <count>", "how many regions")
    .option("--region <id=lat,lon>", "a region, instead of the default ones; repeatable", collect)
    .option(
      "--config <file>",
      "run the cluster of a cluster file on this machine, instead of flags",
    )
    .option(
      "--port <port>",
      "the first directory's port; the others follow it (default: 7400, or the next free block)",
    )
    .addOption(
      new Option(
        "--log <kind>",
        "where the log lies: in the directory's folder, or in three servers of NATS, which this starts (default: sqlite)",
      ).choices(LOGS),
    )
    .option("--data <directory>", "where data is kept between runs", ".meridian")
    .option("--fresh", "delete the data of earlier runs")
    .action(async (options: DevOptions) => {
      const { runDev } = await import("./dev/run-dev.ts");
      done(await runDev(options, io));
    });
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  if (value === "") throw new InvalidArgumentError("Expected a region, got nothing.");
  return [...before, value];
}
