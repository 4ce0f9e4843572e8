import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  lineLogger,
  LOG_LEVELS,
  silentLogger,
  type Logger,
  type LogLevel,
} from "@meridian/runtime";

import { ManualClock } from "./manual-clock.ts";

function recorder(
  format: "text" | "json",
  level: LogLevel = "debug",
): { lines: string[]; logger: Logger } {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  return { lines, logger: lineLogger({ clock: new ManualClock(), write, level, format }) };
}

describe("a log line in text", () => {
  it("has the instant, the level, the sentence and the fields", () => {
    const { lines, logger } = recorder("text");
    logger.info("listening", { url: "http://127.0.0.1:7400", nodes: 5, ready: true, left: null });
    logger.error("Lost", { code: undefined });
    expect(lines).toEqual([
      "2025-06-15T15:06:40.000Z info  listening url=http://127.0.0.1:7400 nodes=5 ready=true left=null",
      "2025-06-15T15:06:40.000Z error Lost",
    ]);
  });

  it("quotes a value that has blanks, quotes or equals signs, or nothing in it", () => {
    const { lines, logger } = recorder("text");
    logger.warn("m", { a: "two words", b: 'say "hi"', c: "x=1", d: "", e: "größe" });
    expect(lines[0]).toMatch(/ a="two words" b="say \\"hi\\"" c="x=1" d="" e=größe$/);
  });

  it("is one line that steers no terminal, whatever it is told", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (said, value) => {
        const { lines, logger } = recorder("text");
        logger.info(said, { value });
        expect(lines).toHaveLength(1);
        expect(lines[0]).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
      }),
    );
    const { lines, logger } = recorder("text");
    logger.info("a\nb", { key: "\u001b[2J" });
    expect(lines[0]).toMatch(/info {2}a\\u000ab key="\\u001b\[2J"$/);
  });
});

describe("a log line in JSON", () => {
  it("is one object that reads back as what was said", () => {
    const field = fc.oneof(fc.string({ unit: "binary" }), fc.integer(), fc.boolean());
    const name = fc.stringMatching(/^[a-z][A-Za-z]{0,8}$/);
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.dictionary(name, field, { noNullPrototype: true }),
        (message, fields) => {
          const { lines, logger } = recorder("json");
          logger.warn(message, fields);
          expect(lines[0]).not.toContain("\n");
          const own = { at: "2025-06-15T15:06:40.000Z", level: "warn", message };
          expect(JSON.parse(lines[0] ?? "")).toEqual({ ...fields, ...own });
        },
      ),
    );
  });

  it("begins with the instant, level and message, which no field can replace", () => {
    const { lines, logger } = recorder("json");
    logger.info("true", { message: "false", level: "error", at: "never", key: "k" });
    expect(lines[0]).toBe(
      '{"at":"2025-06-15T15:06:40.000Z","level":"info","message":"true","key":"k"}',
    );
  });
});

describe("a logger", () => {
  it.each(LOG_LEVELS)("at level %s drops what is below it", (level) => {
    const { lines, logger } = recorder("json", level);
    for (const each of LOG_LEVELS) logger[each](each);
    const said = lines.map((line) => (JSON.parse(line) as { message: string }).message);
    expect(said).toEqual(LOG_LEVELS.slice(LOG_LEVELS.indexOf(level)));
  });

  it("that is silent takes every level", () => {
    for (const level of LOG_LEVELS) expect(silentLogger[level]("m", { a: 1 })).toBeUndefined();
  });
});
