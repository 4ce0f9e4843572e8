/** The commands by which an operator proves that a cluster is whole. */
import type { Command } from "commander";

import type * as Backup from "./commands/backup.ts";
import type { BackupFlags, RestoreFlags, VerifyBackupFlags } from "./commands/backup.ts";
import type * as Conditions from "./commands/conditions.ts";
import type { AcceptFlags } from "./commands/conditions.ts";
import type { CommandFlags } from "./commands/entries.ts";
import type * as Drill from "./commands/drill.ts";
import type { DrillFlags } from "./commands/drill.ts";
import type * as Quarantine from "./commands/quarantine.ts";
import type { DoctorFlags } from "./commands/doctor.ts";
import type { TopFlags } from "./commands/top.ts";
import type { QuarantineFlags, ReplayFlags } from "./commands/quarantine.ts";
import type { VerifyFlags } from "./commands/verify.ts";
import type { CliIo } from "./io.ts";

/** Adds the commands to the program. `done` gets the exit code of the command that ran. */
export function addOperatorCommands(
  program: Command,
  io: CliIo,
  done: (exitCode: number) => void,
): void {
  program
    .command("verify")
    .description(
      "Proves that all directories and all nodes hold the same data, or lists the keys that differ (exit code 1; 4 if a party is missing or could not be asked).",
    )
    .option(
      "--directory <url>",
      "the directory, or several with commas: all of them are asked, and those that they follow (MERIDIAN_DIRECTORY; default: http://127.0.0.1:7400)",
    )
    .option(
      "--cluster-file <file>",
      "ask the directories of a cluster file, and require all of its regions",
    )
    .option("--limit <count>", "list at most so many keys (default: 20)")
    .option("--patience <ttl>", "how long to wait for parties that are behind (default: 10s)")
    .option("--json", "for machines")
    .action(async (flags: VerifyFlags) => {
      const { verify } = await import("./commands/verify.ts");
      done(await verify(flags, io));
    });
  addCare(program, io, done);
  addBackup(program, io, done);
  addDrill(program, io, done);
  addQuarantine(program, io, done);
  addConditions(program, io, done);
}

function addBackup(program: Command, io: CliIo, done: (exitCode: number) => void): void {
  const load = (): Promise<typeof Backup> => import("./commands/backup.ts");
  const backup = program
    .command("backup")
    .description("Copies the data of a running program into one file, and verifies the file.");
  for (const kind of ["region", "directory"] as const) {
    backup
      .command(kind)
      .description(
        `Backs up a ${kind}: over HTTP (scope admin), or from its data folder. The same command again goes on where it broke off.`,
      )
      .argument("<url|folder>")
      .requiredOption("--out <file>", "the file to write; it must not exist")
      .option("--rate <bytes>", "no more than this many bytes a second")
      .option("--json", "for machines")
      .action(async (source: string, flags: BackupFlags) =>
        done(await (await load()).backup(kind, source, flags, io)),
      );
  }
  backup
    .command("verify")
    .description("Reads a backup and prints what it contains. Exit code 1 if the file is damaged.")
    .argument("<file>")
    .option("--json", "for machines")
    .action(async (file: string, flags: VerifyBackupFlags) =>
      done(await (await load()).verifyFile(file, flags, io)),
    );
  program
    .command("restore")
    .description(
      "Writes a backup into the data folder of a program that does not run. When a restored region starts, it takes a new identity and receives from the directory what it lacks.",
    )
    .argument("<file>")
    .requiredOption("--data <folder>", "the data folder, which must have no data")
    .option("--json", "for machines")
    .action(async (file: string, flags: RestoreFlags) =>
      done(await (await load()).restore(file, flags, io)),
    );
}

function addCare(program: Command, io: CliIo, done: (exitCode: number) => void): void {
  directory(program.command("doctor"))
    .description(
      "Finds problems of a cluster and says what to do (exit code 1 if there are any, 4 if no directory answers).",
    )
    .option("--accept <kinds>", "kinds of problems to ignore, with commas between them")
    .option("--json", "for machines")
    .action(async (flags: DoctorFlags) => {
      const { doctor } = await import("./commands/doctor.ts");
      done(await doctor(flags, io));
    });
  directory(program.command("top"))
    .description("Shows the state of the regions every few seconds, until Ctrl-C.")
    .option("--every <ttl>", "how often (default: 2s)")
    .option("--once", "once")
    .option("--json", "one line of JSON each time, for programs")
    .action(async (flags: TopFlags) => {
      const { top } = await import("./commands/top.ts");
      done(await top(flags, io));
    });
}

function addConditions(program: Command, io: CliIo, done: (exitCode: number) => void): void {
  const load = (): Promise<typeof Conditions> => import("./commands/conditions.ts");
  const conditions = program
    .command("conditions")
    .description(
      "Conditions across regions (`scope=cluster`): whether directories decide them, and what to do after a loss.",
    );
  directory(conditions.command("status"))
    .description("Says whether each directory decides conditions (exit code 1 if one does not).")
    .option("--json", "for machines")
    .action(async (flags: CommandFlags) => done(await (await load()).conditionsStatus(flags, io)));
  directory(conditions.command("accept"))
    .description(
      "Has directories decide conditions again although their log may have lost something.",
    )
    .option("--yes", "without it, this only says what may happen")
    .option("--json", "for machines")
    .action(async (flags: AcceptFlags) => done(await (await load()).acceptConditions(flags, io)));
}

function directory(command: Command): Command {
  return command.option(
    "--directory <url>",
    "the directory, or several with commas (MERIDIAN_DIRECTORY; default: http://127.0.0.1:7400)",
  );
}

function addDrill(program: Command, io: CliIo, done: (exitCode: number) => void): void {
  const load = (): Promise<typeof Drill> => import("./commands/drill.ts");
  const drill = program
    .command("drill")
    .description("Causes faults in a cluster of its own, under load, and checks every guarantee.");
  drill
    .command("list")
    .description("Lists the drills.")
    .action(async () => done((await load()).listDrills(io)));
  drill
    .command("run", { isDefault: true })
    .description("Runs the named drills, or `all`. Exit code 1 if a guarantee was broken.")
    .argument("[names...]")
    .option("--seconds <count>", "how long each is under load (default: 6)")
    .option("--rate <count>", "requests per second (default: 200)")
    .option("--seed <number>", "repeat the choices of an earlier run: keys and region")
    .option("--regions <count>", "how many regions (default: 3)")
    .option("--keep", "keep the data and the logs")
    .option(
      "--against <url>",
      "only put load on the running cluster of this directory, and check it",
    )
    .option("--json", "for machines")
    .action(async (names: readonly string[], flags: DrillFlags) =>
      done(await (await load()).runDrills(names, flags, io)),
    );
}

function addQuarantine(program: Command, io: CliIo, done: (exitCode: number) => void): void {
  const load = (): Promise<typeof Quarantine> => import("./commands/quarantine.ts");
  const quarantine = program
    .command("quarantine")
    .description(
      "Entries that the cluster deleted while a node that had them was away: list them, write them again, or drop them.",
    );
  const add = (name: string): Command =>
    directory(quarantine.command(name))
      .option("--node <id|url>", "at this node (default for list: at all of them)")
      .option("--json", "for machines");
  add("list")
    .description("Lists the quarantined entries.")
    .action(async (flags: QuarantineFlags) => done(await (await load()).list(flags, io)));
  add("show")
    .description("Writes the value of a quarantined entry to stdout, as it is stored.")
    .argument("<id>")
    .action(async (id: string, flags: QuarantineFlags) =>
      done(await (await load()).show(id, flags, io)),
    );
  add("replay")
    .description("Writes entries again, as new writes, and removes them from the quarantine.")
    .argument("[ids...]")
    .option("--all", "all that are there")
    .option("--overwrite", "even if the key has a new value")
    .action(async (ids: readonly string[], flags: ReplayFlags) =>
      done(await (await load()).replay(ids, flags, io)),
    );
  add("drop")
    .description("Drops quarantined entries for good.")
    .argument("[ids...]")
    .option("--all", "all that are there")
    .action(async (ids: readonly string[], flags: ReplayFlags) =>
      done(await (await load()).drop(ids, flags, io)),
    );
}
