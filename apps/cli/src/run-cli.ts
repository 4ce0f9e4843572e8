import { asMeridianError, toProblem, type ErrorCode, type MeridianError } from "@meridian/protocol";
import { CommanderError } from "commander";

import { EXIT } from "./exit-codes.ts";
import type { CliIo } from "./io.ts";
import { makeProgram } from "./program.ts";
import { trustPlatform } from "./trust.ts";

/** Error codes that mean that the command line, or a file that it names, is invalid. */
const USAGE: ReadonlySet<ErrorCode> = new Set([
  "INVALID_ARGUMENT",
  "INVALID_CONFIG",
  "INVALID_COORDINATES",
  "INVALID_KEY",
  "INVALID_TTL",
  "UNKNOWN_OPTION",
]);

/**
 * Runs the command of `argv` (without the program's name), and resolves to the exit code, which `EXIT_MEANINGS` explains. Never rejects.
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = makeProgram(io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return exitCode;
  } catch (cause) {
    // Commander has already printed a message.
    if (cause instanceof CommanderError) return cause.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return explain(asMeridianError(cause), argv.includes("--json"), io);
  } finally {
    trustPlatform();
  }
}

function explain(error: MeridianError, json: boolean, io: CliIo): number {
  io.stderr.write(
    json ? `${JSON.stringify(toProblem(error))}\n` : `meridian: ${error.code}: ${error.message}\n`,
  );
  if (error.code === "KEY_NOT_FOUND") return EXIT.keyNotFound;
  return USAGE.has(error.code) ? EXIT.usage : EXIT.failure;
}
