/**
 * Checks of values read from a file that go on after a problem, so that one reading finds all of them. Each problem names the place
 * by its path, such as `regions[1].lat`, and says what was expected and what came.
 */

/** Told of a problem. */
export type Report = (problem: string) => void;

/** Reads a value at a path; undefined after a problem, which was reported. */
export type Check<T> = (value: unknown, path: string, report: Report) => T | undefined;

/** The checks of an object's members. */
export type Checks<T> = { readonly [Name in keyof T]: Check<T[Name]> };

/** A number, or a whole one, between two bounds. */
export function numberCheck(min: number, max: number, whole: boolean): Check<number> {
  return (value, path, report) => {
    const right = typeof value === "number" && (!whole || Number.isInteger(value));
    if (right && value >= min && value <= max) return value;
    const what = whole ? "a whole number" : "a number";
    report(`Expected \`${path}\` to be ${what} between ${min} and ${max}, got ${shown(value)}`);
    return undefined;
  };
}

/** Text that is not empty, as `read` returns it; what it throws is the problem. */
export function textCheck(read: (text: string) => string = (text) => text): Check<string> {
  return (value, path, report) => {
    if (typeof value !== "string" || value === "") {
      report(`Expected \`${path}\` to be text, got ${shown(value)}`);
      return undefined;
    }
    try {
      return read(value);
    } catch (cause) {
      report(`\`${path}\`: ${cause instanceof Error ? cause.message : String(cause)}`);
      return undefined;
    }
  };
}

/** One of several words. */
export function choiceCheck(choices: readonly string[]): Check<string> {
  return (value, path, report) => {
    if (typeof value === "string" && choices.includes(value)) return value;
    report(`Expected \`${path}\` to be ${quoted(choices, " or ")}, got ${shown(value)}`);
    return undefined;
  };
}

/** A list of at least one. Those with a problem are left out. */
export function listCheck<T>(check: Check<T>): Check<readonly T[]> {
  return (value, path, report) => {
    if (!Array.isArray(value) || value.length === 0) {
      report(`Expected \`${path}\` to be a list of at least one, got ${shown(value)}`);
      return undefined;
    }
    const read = value.map((item: unknown, index) => check(item, `${path}[${index}]`, report));
    return read.filter((item): item is Awaited<T> & T => item !== undefined);
  };
}

/** An object's members; `//` may hold a comment, any other that is not expected is a problem. */
export function readMembers<T>(
  value: unknown,
  path: string,
  checks: Checks<T>,
  required: readonly (keyof T & string)[],
  report: Report,
): { readonly [Name in keyof T]: T[Name] | undefined } | undefined {
  const what = path === "" ? "the file" : `\`${path}\``;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    report(`Expected ${what} to be an object, got ${shown(value)}`);
    return undefined;
  }
  const members = new Map<string, unknown>(Object.entries(value));
  const names = Object.keys(checks) as (keyof T & string)[];
  for (const name of members.keys()) {
    if (name === "//" || (names as string[]).includes(name)) continue;
    report(`Expected ${what} with members out of ${quoted(names, ", ")}, got \`${name}\``);
  }
  const read: { [Name in keyof T]?: T[Name] | undefined } = {};
  for (const name of names) {
    const place = path === "" ? name : `${path}.${name}`;
    if (members.has(name)) read[name] = checks[name](members.get(name), place, report);
    else if (required.includes(name)) report(`Expected \`${place}\`, got nothing`);
  }
  return read as { readonly [Name in keyof T]: T[Name] | undefined };
}

/** A value as problems show it. */
export function shown(value: unknown): string {
  return value === undefined ? "nothing" : `\`${JSON.stringify(value).slice(0, 100)}\``;
}

function quoted(words: readonly string[], last: string): string {
  const all = words.map((word) => `\`${word}\``);
  const end = all.pop() ?? "";
  return all.length === 0 ? end : `${all.join(", ")}${last}${end}`;
}
