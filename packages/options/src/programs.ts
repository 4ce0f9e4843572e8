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

/** The values of each program's options. */
export interface ProgramFlags {
  readonly directory: DirectoryFlags;
  readonly region: RegionFlags;
}

/** How a program logs. */
export type LogSettings = Pick<RegionFlags & DirectoryFlags, "logLevel" | "logFormat">;
