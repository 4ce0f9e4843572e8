import { basename } from "node:path";

import {
  givenText,
  OptionsError,
  parseOptions,
  PROGRAM_OPTIONS,
  type OptionSources,
  type OptionTable,
  type ParsedOptions,
  type ProgramFlags,
  type Role,
} from "@meridian/options";
import { MeridianError } from "@meridian/protocol";

import { readClusterFile } from "./parse.ts";
import { settingsOf } from "./settings.ts";

/** Reads the options of a program from its flags, environment variables and cluster file. Throws `OptionsError`. */
export function parseFlags<R extends Role>(
  role: R,
  sources: OptionSources,
): ParsedOptions<ProgramFlags[R]> {
  const table: OptionTable = PROGRAM_OPTIONS[role];
  const parsed = parseOptions(table, withClusterFile(role, table, sources));
  return parsed as ParsedOptions<ProgramFlags[R]>;
}

/**
 * Adds to the sources of a program's options the settings of the cluster file that `--cluster-file` names, if it is given. `--id` chooses
 * the process in the file. Flags and environment variables take precedence. Throws `OptionsError` with the problems of the file.
 */
export function withClusterFile(
  role: Role,
  table: OptionTable,
  sources: OptionSources,
): OptionSources {
  const path = givenText(table, sources, "cluster-file");
  if (path === undefined) return sources;
  const id = givenText(table, sources, "id");
  if (id === undefined) {
    throw new OptionsError([
      `Expected \`--id\` (or MERIDIAN_ID) beside \`--cluster-file\`, to know which ${role} this is, got nothing`,
    ]);
  }
  try {
    const file = readClusterFile(path, { ...PROGRAM_OPTIONS, [role]: table });
    return { ...sources, settings: settingsOf(file, role, id, basename(path), table) };
  } catch (cause) {
    throw cause instanceof MeridianError ? new OptionsError(problemsOf(cause)) : cause;
  }
}

function problemsOf({ details, message }: MeridianError): readonly string[] {
  const problems: unknown = details?.["problems"];
  return Array.isArray(problems) ? problems.map(String) : [message];
}
