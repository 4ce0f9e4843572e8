export { EXIT, EXIT_MEANINGS } from "./exit-codes.ts";
export type { CliIo } from "./io.ts";
export { runCli } from "./run-cli.ts";
export { decodeEntryLine, type EntryLine } from "./transfer/entry-line.ts";
export { readLines, type NumberedLine } from "./transfer/lines.ts";
