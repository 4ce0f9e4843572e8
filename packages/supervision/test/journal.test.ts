import { closeSync, fstatSync, openSync } from "node:fs";
import { devNull } from "node:os";

import { lineLogger, systemClock } from "@meridian/runtime";
import { expect, it } from "vitest";

import { goesToJournal } from "../src/journal.ts";

it("a program knows whether the journal reads what it writes", () => {
  const file = openSync(devNull, "w");
  const { dev, ino } = fstatSync(file);
  expect(goesToJournal(file, { JOURNAL_STREAM: `${dev}:${ino}` })).toBe(true);
  for (const stream of [undefined, "", `${dev}:${ino + 1}`, `${ino}:${dev}`, "x"]) {
    expect(goesToJournal(file, { JOURNAL_STREAM: stream })).toBe(false);
  }
  closeSync(file);
  expect(goesToJournal(99_999, { JOURNAL_STREAM: "1:2" })).toBe(false);
});

it.each(["text", "json"] as const)(
  "each line of %s begins with its priority for the journal",
  (format) => {
    const lines: string[] = [];
    const log = {
      clock: systemClock,
      level: "debug" as "debug" | "error",
      format,
      write: (line: string): void => void lines.push(line.slice(0, 3)),
      hasPriorities: true,
    };
    const logger = lineLogger(log);
    for (const level of ["debug", "info", "warn", "error"] as const) logger[level]("x");
    expect(lines).toEqual(["<7>", "<6>", "<4>", "<3>"]);
    log.level = "error";
    for (const level of ["debug", "info", "warn", "error"] as const) logger[level]("x");
    expect(lines).toHaveLength(5);
  },
);
