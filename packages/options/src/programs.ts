import { DIRECTORY_OPTIONS, type DirectoryFlags } from "./directory-options.ts";
import type { OptionTable, Role } from "./option-row.ts";
import { REGION_OPTIONS, type RegionFlags } from "./region-options.ts";

/** The tables of both programs. */
export type ProgramTables = Readonly<Record<Role, OptionTable>>;

/** The options of each program. */
export const PROGRAM_OPTIONS: {
  readonly directory: typeof DIRECTORY_OPTIONS;
  readonly region: typeof REGION_OPTIONS;
} = { directory: DIRECTORY_OPTIONS, region: REGION_OPTIONS };

/** What each program does, as a sentence. */
export const PROGRAM_SUMMARIES: Readonly<Record<Role, string>> = {
  directory:
    "Runs the directory of a Meridian cluster: it knows every node, and carries every write to all of them.",
  region: "Runs a regional node of a Meridian cluster: reads and writes at local speed.",
};

/** The values of each program's options. */
export interface ProgramFlags {
  readonly directory: DirectoryFlags;
  readonly region: RegionFlags;
}

/** How a program logs. */
export type LogSettings = Pick<RegionFlags & DirectoryFlags, "logLevel" | "logFormat">;
