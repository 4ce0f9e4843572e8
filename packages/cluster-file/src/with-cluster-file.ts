import { basename } from "node:path";

import { MeridianError } from "@meridian/protocol";
import { givenText, OptionsError, type OptionSources, type OptionTable } from "@meridian/runtime";

import type { Role } from "./limits.ts";
import { readClusterFile } from "./parse.ts";
import { settingsOf } from "./settings.ts";

/**
 * The sources of a program's options with what a cluster file says of the process, if `--cluster-file` names one: which
 * process it is, `--id` says. Flags and environment go before the file. Throws `OptionsError` for what is wrong in the file.
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
    return { ...sources, settings: settingsOf(readClusterFile(path), role, id, basename(path)) };
  } catch (cause) {
    throw cause instanceof MeridianError ? new OptionsError(problemsOf(cause)) : cause;
  }
}

function problemsOf({ details, message }: MeridianError): readonly string[] {
  const problems: unknown = details?.["problems"];
  return Array.isArray(problems) ? problems.map(String) : [message];
}
