import {
  OptionsError,
  type OptionSources,
  type OptionTable,
  type ParsedOptions,
} from "@meridian/options";
import { asMeridianError } from "@meridian/protocol";
import type { Logger } from "@meridian/runtime";

import { environmentNow } from "./given-options.ts";

/** How a program reads its options. */
interface Reading<Values> {
  readonly options: OptionTable;
  parse(sources: OptionSources): ParsedOptions<Values>;
}

/**
 * Reads the options of a running program again. Returns `current` with the new values of those options that may change while the program runs. Logs
 * these changes, and the changes that need a restart. Returns undefined if the options cannot be read or are invalid.
 */
export function readAgain<Values extends object>(
  program: Reading<Values>,
  current: Values,
  logger: Logger,
): Values | undefined {
  let found: Values;
  try {
    const parsed = program.parse({ argv: process.argv.slice(2), env: environmentNow(process.env) });
    if (parsed.kind !== "run") return undefined;
    found = parsed.values;
  } catch (cause) {
    const why = cause instanceof OptionsError ? cause.problems : [asMeridianError(cause).message];
    logger.error("options cannot be read again and stay as they are", {
      why: why.join("; "),
    });
    return undefined;
  }
  const next = { ...current };
  for (const { name, reloads } of program.options) {
    const member = camelCase(name) as keyof Values;
    const [was, is] = [JSON.stringify(current[member]), JSON.stringify(found[member])];
    if (was === is) continue;
    const fields = { option: `--${name}`, was, is };
    if (reloads === "option") {
      next[member] = found[member];
      logger.info("an option has changed", fields);
    } else logger.warn("an option needs a restart to change", fields);
  }
  return next;
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
