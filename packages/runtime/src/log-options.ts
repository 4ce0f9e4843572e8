import type { LogLevel } from "./logger.ts";
import type { OptionTable } from "./options.ts";

/** The options of every program that logs. */
export const LOG_OPTIONS = [
  {
    name: "log-level",
    type: "choice",
    choices: ["debug", "info", "warn", "error"],
    default: "info",
    description: "The least grave log lines to print.",
  },
  {
    name: "log-format",
    type: "choice",
    choices: ["text", "json"],
    default: "text",
    description: "Log lines for people, or one JSON object each.",
  },
] as const satisfies OptionTable;

/** The values of those options. */
export interface LogSettings {
  readonly logLevel: LogLevel;
  readonly logFormat: "text" | "json";
}
