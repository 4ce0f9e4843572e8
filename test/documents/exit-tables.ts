/** The tables of exit codes, as the programs and the command have them. */
import { EXIT, EXIT_MEANINGS } from "@meridian/cli";
import { SERVER_EXIT, SERVER_EXIT_MEANINGS } from "@meridian/supervision";

import { tableOf, withPart } from "./options-tables.ts";

/** EXIT-CODES.md with both tables. */
export function withExitCodes(document: string): string {
  const programs = codesTable(
    "`meridian-directory`, `meridian-region`",
    SERVER_EXIT,
    SERVER_EXIT_MEANINGS,
  );
  const command = codesTable("`meridian`", EXIT, EXIT_MEANINGS);
  return withPart(document, "exit codes", `${programs}\n${command}`);
}

function codesTable(
  who: string,
  codes: Readonly<Record<string, number>>,
  meanings: Readonly<Record<string, string>>,
): string {
  const rows = Object.entries(codes).map(([name, code]) => [String(code), meanings[name] ?? ""]);
  return tableOf([[who, "meaning"], ...rows]);
}
