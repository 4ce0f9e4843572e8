export { formatUsage, programCommand, type ProgramDescription } from "./command-of.ts";
export {
  DIRECTORY_OPTIONS,
  type DirectoryFlags,
  type DirectoryRow,
  type DirectorySettings,
} from "./directory-options.ts";
export {
  camelCase,
  variableOf,
  type CamelCase,
  type OptionRow,
  type OptionTable,
  type OptionValues,
  type Role,
  type TextKinds,
} from "./option-row.ts";
export {
  defaultsOf,
  givenText,
  OptionsError,
  parseOptions,
  type OptionSources,
  type ParsedOptions,
  type Setting,
} from "./parse-options.ts";
export {
  PROGRAM_OPTIONS,
  PROGRAM_SUMMARIES,
  type LogSettings,
  type ProgramFlags,
  type ProgramTables,
} from "./programs.ts";
export { listed, rangeOf, readText } from "./read-value.ts";
export {
  REGION_OPTIONS,
  type RegionFlags,
  type RegionRow,
  type RegionSettings,
} from "./region-options.ts";
