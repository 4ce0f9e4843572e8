/** The commands by which an operator proves that a cluster is whole. */
import type { Command } from "commander";

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
      "Proves that the directory and all nodes hold the same, or names the keys that differ (exit code 1; 4 if somebody could not be asked).",
    )
    .option(
      "--directory <url>",
      "the directory (MERIDIAN_DIRECTORY; default: http://127.0.0.1:7400)",
    )
    .option("--limit <count>", "name no more than this many keys (default: 20)")
    .option("--patience <ttl>", "how long to wait for nodes that are behind (default: 10s)")
    .option("--json", "for machines")
    .action(async (flags: VerifyFlags) => {
      const { verify } = await import("./commands/verify.ts");
      done(await verify(flags, io));
    });
}
