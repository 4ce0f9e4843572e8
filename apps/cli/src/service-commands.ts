/** The commands that put programs under systemd. Their options are those of the programs. */
import { PROGRAM_OPTIONS, type Role } from "@meridian/options";
import type { Command } from "commander";

import type * as Services from "./commands/service.ts";
import type { InstallFlags, UninstallFlags } from "./commands/service.ts";
import type { CliIo } from "./io.ts";
import { givableOptions } from "./service/unit-files.ts";

const ROLES: readonly Role[] = ["directory", "region"];

/** Adds them to the program. `done` is told the exit code of the one that ran. */
export function addServiceCommands(
  program: Command,
  io: CliIo,
  done: (exitCode: number) => void,
): void {
  const load = (): Promise<typeof Services> => import("./commands/service.ts");
  const service = program
    .command("service")
    .description("Puts the programs of this machine under systemd.");
  const install = service
    .command("install")
    .description("Writes the unit and its options, verifies and starts it, now and at every boot.");
  const uninstall = service
    .command("uninstall")
    .description("Stops it and takes the unit and its options away; the data stays.");
  for (const role of ROLES) {
    const what = role === "region" ? "a region" : "the directory";
    const make = (parent: Command, description: string): Command => {
      const command = parent.command(role).description(description);
      if (role === "region") command.argument("<id>");
      return command.option("--root <folder>", "the root of another machine's files");
    };
    const installs = make(
      install,
      `Installs ${what}; again without options, to bring its unit up to date.`,
    )
      .option(
        "--group <name>",
        "reads certificates and tokens as one of this group, and so again while it runs; without it, systemd hands them over at each start",
      )
      .option("--no-start", "only writes and verifies")
      .option("--dry-run", "only says what is wrong");
    for (const row of givableOptions(PROGRAM_OPTIONS[role], role)) {
      const flags = row.kind === "switch" ? `--${row.name}` : `--${row.name} <${row.kind}>`;
      installs.option(flags, row.description);
    }
    installs.action(async (...given: readonly unknown[]) => {
      const command = given.at(-1) as Command;
      const id = role === "region" ? (given[0] as string) : undefined;
      const { install: run } = await load();
      done(run({ role, id }, command.optsWithGlobals<InstallFlags>(), io));
    });
    make(uninstall, `Uninstalls ${what}.`).action(async (...given: readonly unknown[]) => {
      const command = given.at(-1) as Command;
      const id = role === "region" ? (given[0] as string) : undefined;
      done((await load()).uninstall({ role, id }, command.opts<UninstallFlags>(), io));
    });
  }
}
