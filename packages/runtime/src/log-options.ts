import { LOG_LEVELS, type LogLevel } from "./logger.ts";

interface Choice<Name extends string, Value extends string> {
  readonly name: Name;
  readonly type: "choice";
  readonly choices: readonly Value[];
  readonly default: Value;
  readonly description: string;
}

/** The options of every program that logs. */
export const LOG_OPTIONS: readonly [
  Choice<"log-level", LogLevel>,
  Choice<"log-format", LogSettings["logFormat"]>,
] = [
  {
    name: "log-level",
    type: "choice",
    choices: LOG_LEVELS,
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
];

/** The values of those options. */
export interface LogSettings {
  readonly logLevel: LogLevel;
  readonly logFormat: "text" | "json";
}
