/** The commands that put programs under systemd. Their options are those of the programs. */
import { PROGRAM_OPTIONS, type Role } from "@meridian/options";
import type { Command } from "commander";

import type * as Services from "./commands/service.ts";
import type { InstallFlags, UninstallFlags } from "./commands/service.ts";
import type { CliIo } from "./io.ts";
import { givableOptions } from "./service/unit-files.ts";

const ROLES: readonly Role[] = ["directory", "region"];

/** Adds the commands to the program. `done` gets the exit code of the command that ran. */
export function addServiceCommands(
  program: Command,
  io: CliIo,
  done: (exitCode: number) => void,
): void {
  const load = (): Promise<typeof Services> => import("./commands/service.ts");
  const service = program
    .command("service")
    .description("Runs the programs of this machine as systemd services.");
  const install = service
    .command("install")
    .description(
      "Writes a unit and its options, verifies it, and starts the service, now and at every boot.",
    );
  const uninstall = service
    .command("uninstall")
    .description("Stops a service and removes its unit and options; the data stays.");
  for (const role of ROLES) {
    const what = role === "region" ? "a region" : "the directory";
    const make = (parent: Command, description: string): Command => {
      const command = parent.command(role).description(description);
      if (role === "region") command.argument("<id>");
      return command.option(
        "--root <folder>",
        "root folder of the files, such as of a mounted image",
      );
    };
    const installs = make(
      install,
      `Installs ${what}; again without options, to bring its unit up to date.`,
    )
      .option(
        "--group <name>",
        "the service reads certificates and tokens as a member of this group, and can reload them; without it, systemd passes them to the service at each start",
      )
      .option("--no-start", "only write and verify, do not start")
      .option("--dry-run", "only check the options");
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
