import type { Clock } from "./clock.ts";

/** The severity of a log line. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** The facts of a log line, beside its message. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Where a program tells its operator what happened. A message is one sentence; facts go into fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** The levels, from the least severe to the most severe. */
export const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** How a logger is made. */
export interface LineLoggerOptions {
  readonly clock: Clock;
  /** Takes one finished line, without its line break. */
  readonly write: (line: string) => void;
  /** Lines below this level are dropped. It is read for each line, and so may change. */
  readonly level: LogLevel;
  /** `text` for people at a terminal, `json` (one object a line) for machines. */
  readonly format: "text" | "json";
  /** Begins each line with its priority as systemd's journal reads it, such as `<4>`. Default: false. */
  readonly hasPriorities?: boolean;
}

/** The priorities of syslog. */
const PRIORITY: Readonly<Record<LogLevel, number>> = { debug: 7, info: 6, warn: 4, error: 3 };

/** A logger that formats each call as one line and hands it to `write`. */
export function lineLogger(options: LineLoggerOptions): Logger {
  const log = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (RANK[level] < RANK[options.level]) return;
    const at = new Date(options.clock.nowMs()).toISOString();
    const line = { at, level, message };
    const text =
      options.format === "json"
        ? // Spread twice: first for their place, then so that no field replaces them.
          JSON.stringify({ ...line, ...fields, ...line })
        : `${at} ${level.padEnd(5)} ${escapeControls(message)}${formatFields(fields)}`;
    options.write(options.hasPriorities === true ? `<${PRIORITY[level]}>${text}` : text);
  };
  return {
    debug: (message, fields) => log("debug", message, fields),
    info: (message, fields) => log("info", message, fields),
    warn: (message, fields) => log("warn", message, fields),
    error: (message, fields) => log("error", message, fields),
  };
}

/** A logger that says nothing. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};

function formatFields(fields: LogFields): string {
  let text = "";
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    text += ` ${name}=${typeof value === "string" ? quoteIfOdd(value) : String(value)}`;
  }
  return text;
}

function quoteIfOdd(value: string): string {
  return /^[^\s"=\p{Cc}]+$/u.test(value) ? value : escapeControls(JSON.stringify(value));
}

/** Escapes control characters: a text from outside, such as a key, must not break the line or control the terminal. */
function escapeControls(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029]/gu,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
