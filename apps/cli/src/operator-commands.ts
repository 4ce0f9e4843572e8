/** The commands by which an operator proves that a cluster is whole. */
import type { Command } from "commander";

import type * as Backup from "./commands/backup.ts";
import type { BackupFlags, RestoreFlags, VerifyBackupFlags } from "./commands/backup.ts";
import type * as Drill from "./commands/drill.ts";
import type { DrillFlags } from "./commands/drill.ts";
import type * as Quarantine from "./commands/quarantine.ts";
import type { DoctorFlags } from "./commands/doctor.ts";
import type { TopFlags } from "./commands/top.ts";
import type { QuarantineFlags, ReplayFlags } from "./commands/quarantine.ts";
import type { VerifyFlags } from "./commands/verify.ts";
import type { CliIo } from "./io.ts";

/** Adds them to the program. `done` is told the exit code of the one that ran. */
export function addOperatorCommands(
  program: Command,
  io: CliIo,
  done: (exitCode: number) => void,
): void {
  program
    .command("verify")
    .description(
      "Proves that all directories and all nodes hold the same, or names the keys that differ (exit code 1; 4 if somebody is missing or could not be asked).",
    )
    .option(
      "--directory <url>",
      "the directory, or several with commas: all of them are asked, and those that they follow (MERIDIAN_DIRECTORY; default: http://127.0.0.1:7400)",
    )
    .option("--cluster-file <file>", "the directories of a cluster file; its regions must be there")
    .option("--limit <count>", "name no more than this many keys (default: 20)")
    .option("--patience <ttl>", "how long to wait for those that are behind (default: 10s)")
    .option("--json", "for machines")
    .action(async (flags: VerifyFlags) => {
      const { verify } = await import("./commands/verify.ts");
      done(await verify(flags, io));
    });
  addCare(program, io, done);
  addBackup(program, io, done);
  addDrill(program, io, done);
  addQuarantine(program, io, done);
}

function addBackup(program: Command, io: CliIo, done: (exitCode: number) => void): void {
  const load = (): Promise<typeof Backup> => import("./commands/backup.ts");
  const backup = program
    .command("backup")
    .description("Copies all that a program has into one file that is checked, while it runs.");
  for (const kind of ["region", "directory"] as const) {
    backup
      .command(kind)
      .description(
        `Backs up a ${kind}: over HTTP (scope admin), or from its data folder. The same command again goes on where it broke off.`,
      )
      .argument("<url|folder>")
      .requiredOption("--out <file>", "where to; it must not be there yet")
      .option("--json", "for machines")
      .action(async (source: string, flags: BackupFlags) =>
        done(await (await load()).backup(kind, source, flags, io)),
      );
  }
  backup
    .command("verify")
    .description("Reads a backup, and tells of what it is. Exit code 1 if any of it has changed.")
    .argument("<file>")
    .option("--json", "for machines")
    .action(async (file: string, flags: VerifyBackupFlags) =>
      done(await (await load()).verifyFile(file, flags, io)),
    );
  program
    .command("restore")
    .description(
      "Puts a backup into the data folder of a program that does not run. A region takes a new identity when it starts, and gets from the directory what it lacks.",
    )
    .argument("<file>")
    .requiredOption("--data <folder>", "the folder, without data")
    .option("--json", "for machines")
    .action(async (file: string, flags: RestoreFlags) =>
      done(await (await load()).restore(file, flags, io)),
    );
}

function addCare(program: Command, io: CliIo, done: (exitCode: number) => void): void {
  directory(program.command("doctor"))
    .description(
      "Says what is wrong with a cluster, and what helps (exit code 1 if anything is, 4 if no directory answers).",
    )
    .option("--accept <kinds>", "kinds of complaints that are no news, with commas between them")
    .option("--json", "for machines")
    .action(async (flags: DoctorFlags) => {
      const { doctor } = await import("./commands/doctor.ts");
      done(await doctor(flags, io));
    });
  directory(program.command("top"))
    .description("Shows the regions as they are, every few seconds until Ctrl-C.")
    .option("--every <ttl>", "how often (default: 2s)")
    .option("--once", "once")
    .option("--json", "for machines: a line for each time")
    .action(async (flags: TopFlags) => {
      const { top } = await import("./commands/top.ts");
      done(await top(flags, io));
    });
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
    .description(
      "Lets things go wrong in a cluster of its own, under load, and checks every promise.",
    );
  drill
    .command("list")
    .description("Lists the drills.")
    .action(async () => done((await load()).listDrills(io)));
  drill
    .command("run", { isDefault: true })
    .description("Runs the drills that are named, or `all`. Exit code 1 if a promise was broken.")
    .argument("[names...]")
    .option("--seconds <count>", "how long each is under load (default: 6)")
    .option("--rate <count>", "requests a second (default: 200)")
    .option("--seed <number>", "which keys, which region: those of an earlier run")
    .option("--regions <count>", "how many regions (default: 3)")
    .option("--keep", "keep the data and the logs")
    .option("--against <url>", "only load and check the cluster of this directory")
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
      "What the cluster deleted while a node was away that held it live: for an operator to decide.",
    );
  const add = (name: string): Command =>
    directory(quarantine.command(name))
      .option("--node <id|url>", "at this node (default for list: at all of them)")
      .option("--json", "for machines");
  add("list")
    .description("Lists what is in quarantine.")
    .action(async (flags: QuarantineFlags) => done(await (await load()).list(flags, io)));
  add("show")
    .description("Writes the value of a quarantined entry to stdout, as it is stored.")
    .argument("<id>")
    .action(async (id: string, flags: QuarantineFlags) =>
      done(await (await load()).show(id, flags, io)),
    );
  add("replay")
    .description("Writes entries anew, as writes of now, and takes them out of the quarantine.")
    .argument("[ids...]")
    .option("--all", "all that are there")
    .option("--overwrite", "even where the key has a value again")
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
