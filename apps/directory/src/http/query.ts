import { MeridianError } from "@meridian/protocol";

/**
 * The options of a request by name. Throws `UNKNOWN_OPTION` for one that is not among `known`, because a
 * mistyped option that is ignored answers another question, and `INVALID_ARGUMENT` for one that comes twice.
 */
export function readQuery<Name extends string>(
  search: string,
  known: readonly Name[],
): Partial<Record<Name, string>> {
  const given: Partial<Record<Name, string>> = {};
  if (search === "") return given;
  for (const [option, value] of new URLSearchParams(search)) {
    const name = known.find((candidate) => candidate === option);
    if (name === undefined) {
      const expected =
        known.length === 0 ? "no options" : known.map((each) => `\`${each}\``).join(", ");
      throw new MeridianError("UNKNOWN_OPTION", `Expected ${expected}, got \`${option}\``, {
        details: { option, known },
      });
    }
    if (given[name] !== undefined) {
      throw new MeridianError("INVALID_ARGUMENT", `Expected \`${option}\` once, got it again`);
    }
    given[name] = value;
  }
  return given;
}

/** Reads a whole number between `min` and `max`. Throws `INVALID_ARGUMENT`. */
export function readWhole(option: string, text: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`${option}\` to be a whole number between ${min} and ${max}, got \`${text}\``,
  );
}
